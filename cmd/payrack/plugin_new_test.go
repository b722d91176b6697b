package main

import "testing"

func TestPublishedVersion(t *testing.T) {
	t.Parallel()
	for stamped, want := range map[string]string{
		"":                       "",
		"dev":                    "",
		"1.2.3":                  "v1.2.3",
		"v1.2.3":                 "v1.2.3",
		"v1.2.3-rc.1":            "v1.2.3-rc.1",
		"v1.2.3-4-g83287e7":      "",
		"v1.2.3-dirty":           "",
		"83287e7":                "",
		"0.0.0-dev.24399d683b6c": "",
	} {
		if got := publishedVersion(stamped, ""); got != want {
			t.Errorf("%q: got %q, want %q", stamped, got, want)
		}
		if got := publishedVersion(stamped, "/a/checkout"); got != "" {
			t.Errorf("%q with a checkout: got %q", stamped, got)
		}
	}
}
