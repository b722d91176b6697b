package providers_test

import (
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/providers"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// Each row is what happens to one breaker, at a time since the start in milliseconds.
func TestBreaker(t *testing.T) {
	t.Parallel()
	type step struct {
		at   int
		do   string // fail, ok, search, or a number of them by n; pass and shed are what a new payment meets
		n    int
		want string // the state afterwards, if it is looked at
	}
	// trip is the shortest way into trouble.
	trip := step{0, "fail", 20, "open"}
	for name, steps := range map[string][]step{
		"few calls never trip":            {{0, "fail", 19, "closed"}, {9000, "pass", 1, "closed"}},
		"the twentieth trips":             {trip, {0, "shed", 1, "open"}},
		"just half trips":                 {{0, "ok", 10, ""}, {0, "fail", 9, "closed"}, {0, "fail", 1, "open"}},
		"less than half does not":         {{0, "ok", 11, ""}, {0, "fail", 10, "closed"}, {0, "pass", 1, ""}},
		"an answer after trouble dilutes": {{0, "fail", 10, ""}, {10, "ok", 11, "closed"}, {20, "fail", 1, "open"}},
		"two a second are too few":        {{0, "fail", 2, ""}, {1000, "fail", 2, ""}, {2000, "fail", 2, ""}, {3000, "fail", 2, ""}, {4000, "fail", 2, ""}, {5000, "fail", 2, ""}, {6000, "fail", 2, ""}, {7000, "fail", 2, ""}, {8000, "fail", 2, ""}, {9999, "fail", 1, "closed"}, {10500, "fail", 2, "closed"}},
		"old failures are forgotten":      {{0, "fail", 19, ""}, {10000, "fail", 1, "closed"}, {10500, "fail", 18, "closed"}, {10600, "fail", 1, "open"}},
		"too early an answer changes nothing": {
			trip, {100, "search", 1, "open"}, {4999, "ok", 1, "open"}, {4999, "shed", 1, "open"}, {5000, "shed", 1, "half_open"},
		},
		"a search closes it":              {trip, {5000, "search", 1, "closed"}, {5000, "pass", 5, "closed"}},
		"a follow-up that is answered":    {trip, {6000, "ok", 1, "closed"}},
		"a follow-up that is not":         {trip, {6000, "fail", 100, "half_open"}, {6000, "shed", 1, "half_open"}},
		"after that one a second":         {trip, {9999, "shed", 1, "half_open"}, {10000, "pass", 1, "trickling"}, {10000, "shed", 1, ""}, {10999, "shed", 1, ""}, {11000, "pass", 1, ""}, {11001, "shed", 1, ""}},
		"the trickle goes on":             {trip, {10000, "pass", 1, ""}, {10500, "fail", 1, "trickling"}, {11000, "pass", 1, "trickling"}, {3600000, "pass", 1, "trickling"}},
		"an answered payment closes it":   {trip, {10000, "pass", 1, ""}, {10500, "ok", 1, "closed"}, {10500, "pass", 9, ""}},
		"a closed one begins from nought": {trip, {5000, "search", 1, "closed"}, {5000, "fail", 19, "closed"}, {5001, "fail", 1, "open"}, {9999, "shed", 1, "open"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := providers.NewBreaker()
			start := time.Now()
			for _, s := range steps {
				now := start.Add(time.Duration(s.at) * time.Millisecond)
				for range s.n {
					switch s.do {
					case "fail":
						b.Ended(now, true)
					case "ok":
						b.Ended(now, false)
					case "search":
						b.Answered(now)
					case "pass", "shed":
						ok, wait := b.Allow(now)
						if ok != (s.do == "pass") || ok != (wait == 0) || wait < 0 || wait > 10*time.Second {
							t.Fatalf("at %d ms a new payment: %t, wait %s; want %s", s.at, ok, wait, s.do)
						}
					default:
						t.Fatalf("no step %q", s.do)
					}
				}
				if got := b.State(now); s.want != "" && got != s.want {
					t.Fatalf("at %d ms after %d × %s: %s, want %s", s.at, s.n, s.do, got, s.want)
				}
			}
		})
	}
}

// A change is told once, however many calls end at once.
func TestBreakerTellsEachChangeOnce(t *testing.T) {
	t.Parallel()
	b := providers.NewBreaker()
	now := time.Now()
	opened, closed := 0, 0
	count := func(o, c bool) {
		if o {
			opened++
		}
		if c {
			closed++
		}
	}
	for range 100 {
		count(b.Ended(now, true))
	}
	later := now.Add(6 * time.Second)
	for range 100 {
		count(b.Ended(later, false))
		count(false, b.Answered(later))
	}
	if opened != 1 || closed != 1 {
		t.Errorf("opened %d times, closed %d times", opened, closed)
	}
}

func TestWhatIsTechnical(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason provider.Reason
		code   string
		want   bool
	}{
		{provider.ReasonTimeout, "", true},
		{provider.ReasonUnavailable, "", true},
		{provider.ReasonUnavailable, "HTTP 503", true},
		{provider.ReasonBadAnswer, "", false}, // something was said, such as a code that is in no document
		{provider.ReasonInternal, "", true},
		{provider.ReasonUnavailable, "9000", false}, // the provider's own words
		{provider.ReasonTimeout, "1172", false},
		{provider.ReasonRateLimited, "HTTP 429", false},
		{provider.ReasonAuth, "HTTP 401", false},
		{provider.ReasonInvalid, "", false},
		{provider.ReasonUnsupported, "", false},
		{provider.ReasonUnspecified, "", false}, // also every answer that is no failure
		{"a word of a newer contract", "", false},
	} {
		if got := providers.Technical(c.reason, c.code); got != c.want {
			t.Errorf("%q with code %q: %t", c.reason, c.code, got)
		}
	}
}
