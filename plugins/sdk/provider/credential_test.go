package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

type shopKeys struct {
	Shop    string          `json:"shop" payrack:"required,role=account"`
	Secret  provider.Secret `json:"secret" payrack:"required"`
	Version string          `json:"version" payrack:"role=wire"`
}

func ExampleCredentialOf() {
	call := provider.Call{Account: "1000000001", Credential: provider.NewDocument([]byte(`{"shop":"1000000001","secret":"s3cret"}`))}
	set, err := provider.CredentialOf[shopKeys](call)
	fmt.Println(set, err)
	call.Account = "1000000002"
	_, err = provider.CredentialOf[shopKeys](call)
	fmt.Println(err)
	// Output:
	// {1000000001 *** } <nil>
	// the credential set is of another account than the one that the payment is pinned to
}

func TestCredentialOf(t *testing.T) {
	t.Parallel()
	type embedded struct{ shopKeys }
	for text, want := range map[string]string{
		`{"shop":"1","secret":"canary"}`:                "",
		`{"shop":"1","secret":"canary","version":"v4"}`: "",
		`{"secret":"canary"}`:                           "has no shop",
		`{"shop":"1"}`:                                  "has no secret",
		`{"shop":"1","secret":""}`:                      "has no secret",
		`{"shop":"canary","secret":"canary"}`:           "another account",
		`{"shop":4711,"secret":"canary"}`:               "another type",
		``:                                              "has no shop",
	} {
		call := provider.Call{Account: "1", Credential: provider.NewDocument([]byte(text))}
		_, err := provider.CredentialOf[shopKeys](call)
		_, errEmbedded := provider.CredentialOf[embedded](call)
		for _, err := range []error{err, errEmbedded} {
			switch {
			case want == "" && err != nil:
				t.Errorf("%s: %v", text, err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("%s: got %v, want %q", text, err, want)
			case err != nil && (strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "4711")):
				t.Errorf("%s: the error has a value: %v", text, err)
			}
		}
	}
	// Without a pinned account, as in a first payment, any is right.
	if _, err := provider.CredentialOf[shopKeys](provider.Call{Credential: provider.NewDocument([]byte(`{"shop":"9","secret":"s"}`))}); err != nil {
		t.Error(err)
	}
}
