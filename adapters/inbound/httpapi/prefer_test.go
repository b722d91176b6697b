package httpapi_test

import (
	"testing"
	"time"
)

func TestPrefer(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]struct {
		wait    *time.Duration
		applied string
	}{
		"":                          {nil, ""},
		"wait=0":                    {new(time.Duration(0)), "wait=0"},
		"wait=20":                   {new(20 * time.Second), "wait=20"},
		"WAIT = \"20\"":             {new(20 * time.Second), "wait=20"},
		"respond-async, wait=7;x=1": {new(7 * time.Second), "wait=7"},
		"wait=120":                  {new(120 * time.Second), "wait=120"},
		"wait=121":                  {new(120 * time.Second), "wait=120"},
		"wait=999999999":            {new(120 * time.Second), "wait=120"},
		"wait=99999999999999999999": {nil, ""},
		"wait=-1":                   {nil, ""},
		"wait=1.5":                  {nil, ""},
		"wait":                      {nil, ""},
		"wait=x, wait=5":            {nil, ""},
		"handling=lenient":          {nil, ""},
		"wait=5, wait=9":            {new(5 * time.Second), "wait=5"},
	} {
		p := newPlane(t, nil)
		w := p.neutral(t, "till", "POST", pay, "", `{"type":"DEMO_PAY","request":{}}`, "Prefer", header)
		calls := p.payments.asked()
		if w.Code != 200 || len(calls) != 1 {
			t.Fatalf("%q: got %d %s", header, w.Code, w.Body)
		}
		got := calls[0].Native.Wait
		if (got == nil) != (want.wait == nil) || got != nil && *got != *want.wait || w.Header().Get("Preference-Applied") != want.applied {
			t.Errorf("%q: the core waits %v, applied %q", header, got, w.Header().Get("Preference-Applied"))
		}
	}
}
