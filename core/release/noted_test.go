package release_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/payrack/payrack/core/release"
)

// Whatever a channel says, a change of it is more than a note, but for the members that every journal entry moves.
func TestOnlyNoted(t *testing.T) {
	t.Parallel()
	c := release.Channel{Name: "till", Stable: "1.0.0", Stores: []string{"s1"}, Until: time.Unix(1, 0), Enabled: true, Generation: 4, Events: 4}
	moves := map[string]bool{"Generation": true, "Events": true, "Chain": true, "UpdatedAt": true, "UpdatedBy": true, "Reason": true}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[release.Channel]()) {
		later := c
		at := reflect.ValueOf(&later).Elem().FieldByIndex(field.Index)
		switch v := at.Interface().(type) {
		case string:
			at.SetString(v + "x")
		case release.Phase:
			at.SetString(string(v) + "x")
		case release.Goal:
			at.SetString(string(v) + "x")
		case int:
			at.SetInt(int64(v) + 1)
		case int64:
			at.SetInt(v + 1)
		case bool:
			at.SetBool(!v)
		case []string:
			at.Set(reflect.ValueOf(append([]string{"s2"}, v...)))
		case time.Time:
			at.Set(reflect.ValueOf(v.Add(time.Second)))
		default:
			at.Index(0).SetUint(1) // the hash
		}
		if got := c.OnlyNoted(later); got != moves[field.Name] {
			t.Errorf("another %s: %t", field.Name, got)
		}
	}
	if !c.OnlyNoted(c) {
		t.Error("the same channel is another one")
	}
}
