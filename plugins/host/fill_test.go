package host_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

func seconds(n int64) *durationpb.Duration { return &durationpb.Duration{Seconds: n} }

// filled sets every field of a value, at any depth, to something that is not zero. A field that is added
// later is set by itself, and is lost on the way if nobody converts it.
func filled[T any]() T {
	var v T
	n := 0
	fill(reflect.ValueOf(&v).Elem(), "", &n)
	return v
}

// moment is a time that both processes know.
func moment() time.Time { return time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC) }

func fill(v reflect.Value, field string, n *int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(moment().Add(time.Duration(*n) * time.Second)))
		return
	case time.Duration:
		v.Set(reflect.ValueOf(time.Duration(*n) * time.Second))
		return
	case provider.Secret:
		v.Set(reflect.ValueOf(provider.NewSecret(fmt.Sprint("secret", *n))))
		return
	case provider.Document:
		v.Set(reflect.ValueOf(provider.NewDocument([]byte(fmt.Sprintf(`{"n":%d}`, *n)))))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(fmt.Sprintf(`{"n":%d}`, *n))))
		return
	case provider.Kind:
		v.Set(reflect.ValueOf(provider.KindRefund))
		return
	case provider.Reason:
		v.Set(reflect.ValueOf(provider.ReasonTimeout))
		return
	case provider.Effect:
		v.Set(reflect.ValueOf(provider.EffectNone))
		return
	case provider.Purpose:
		v.Set(reflect.ValueOf(provider.PurposeClient))
		return
	case provider.Finding:
		v.Set(reflect.ValueOf(provider.FindingEnded))
		return
	case provider.MandateState:
		v.Set(reflect.ValueOf(provider.MandateDead))
		return
	case provider.Money:
		v.Set(reflect.ValueOf(provider.Money{Units: int64(*n), Currency: "USD", Exponent: 2}))
		return
	}
	switch v.Kind() { //nolint:exhaustive // default panics
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), v.Type().Field(i).Name, n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), field, n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), field, n)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), field, n)
		}
	case reflect.String:
		switch field {
		case "PaymentType":
			v.SetString(testType)
		case "Environment":
			v.SetString(provider.EnvironmentLive)
		default:
			v.SetString(fmt.Sprint(field, *n))
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	default:
		panic("fill does not know " + v.Type().String())
	}
}

// dump writes a value as JSON with its secrets, which is what JSON itself refuses to do.
func dump(v any) json.RawMessage {
	out, err := json.Marshal(plain(reflect.ValueOf(v)))
	if err != nil {
		panic(err)
	}
	return out
}

func plain(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case time.Time:
		return x.UTC().Format(time.RFC3339Nano)
	case provider.Secret:
		return "secret:" + x.Reveal()
	case provider.Document:
		return "document:" + string(x.Reveal())
	case json.RawMessage:
		return "json:" + string(x)
	}
	switch v.Kind() { //nolint:exhaustive // default takes the value as it is
	case reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			out[v.Type().Field(i).Name] = plain(v.Field(i))
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return plain(v.Elem())
	case reflect.Slice, reflect.Array:
		out := []any{}
		for i := range v.Len() {
			out = append(out, plain(v.Index(i)))
		}
		return out
	default:
		return v.Interface()
	}
}
