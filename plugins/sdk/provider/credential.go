package provider

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

var errOtherAccount = errors.New("the credential set is of another account than the one that the payment is pinned to")

// CredentialOf decodes the credential set of a call into a struct with the tags of Schema. It fails, before anything
// is sent, if a member with the word required is missing or empty, and if the member with role=account is not the
// account that is pinned on the payment. The error names members and holds no value.
func CredentialOf[T any](call Call) (T, error) {
	var set T
	if err := call.Credential.Decode(&set); err != nil {
		return set, err
	}
	return set, checkCredential(reflect.ValueOf(set), call.Account)
}

func checkCredential(v reflect.Value, account string) error {
	if v.Kind() != reflect.Struct {
		return nil
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			if err := checkCredential(v.Field(i), account); err != nil {
				return err
			}
			continue
		}
		words := strings.Split(f.Tag.Get("payrack"), ",")
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && slices.Contains(words, "required") && empty(v.Field(i)) {
			return fmt.Errorf("the credential set has no %s", name)
		}
		if slices.Contains(words, "role=account") && account != "" && v.Field(i).Kind() == reflect.String && v.Field(i).String() != account {
			return errOtherAccount
		}
	}
	return nil
}

func empty(v reflect.Value) bool {
	if s, ok := reflect.TypeAssert[Secret](v); ok {
		return s.Empty()
	}
	return v.IsZero()
}
