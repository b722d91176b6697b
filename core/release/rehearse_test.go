package release_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/core/release"
)

// done is one rehearsed exchange; change makes it another one.
func done(id string, change func(*release.Rehearsed)) release.Rehearsed {
	r := release.Rehearsed{
		Exchange: id, Operation: "pay", PaymentType: "SHOP_PAY", Recorded: 1,
		Sent: []release.Sent{{
			Method: "POST", Host: "gateway.example", Path: "/pay", Query: map[string]string{"lang": "en"},
			Body: map[string]string{"/amount": "229", "/nonce": `"1"`}, Envelope: []string{"/data"}, Headers: []string{"X-Mac"},
		}},
		Read: map[string]string{"/answer/result/outcome": `"OUTCOME_APPROVED"`}, Native: map[string]string{"/code": `"OK"`},
	}
	if change != nil {
		change(&r)
	}
	return r
}

func TestCompareFindsEachAspectOnce(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		change func(*release.Rehearsed)
		want   release.Difference
	}{
		"run":      {func(r *release.Rehearsed) { r.Failed = "it died" }, release.Difference{Aspect: release.AspectRun, Old: "answered", New: "gave no answer: it died"}},
		"network":  {func(r *release.Rehearsed) { r.Dialled = 2 }, release.Difference{Aspect: release.AspectNetwork, Old: release.Absent, New: "tried to reach the network past the recording"}},
		"method":   {func(r *release.Rehearsed) { r.Sent[0].Method = "PUT" }, release.Difference{Aspect: release.AspectMethod, Old: "POST", New: "PUT"}},
		"host":     {func(r *release.Rehearsed) { r.Sent[0].Host = "other.example" }, release.Difference{Aspect: release.AspectHost, Old: "gateway.example", New: "other.example"}},
		"path":     {func(r *release.Rehearsed) { r.Sent[0].Path = "/v2" }, release.Difference{Aspect: release.AspectPath, Old: "/pay", New: "/v2"}},
		"query":    {func(r *release.Rehearsed) { delete(r.Sent[0].Query, "lang") }, release.Difference{Aspect: release.AspectQuery, Member: "lang", Old: "en", New: release.Absent}},
		"body":     {func(r *release.Rehearsed) { r.Sent[0].Body["/amount"] = "22900" }, release.Difference{Aspect: release.AspectBody, Member: "/amount", Old: "229", New: "22900"}},
		"envelope": {func(r *release.Rehearsed) { r.Sent[0].Envelope = nil }, release.Difference{Aspect: release.AspectEnvelope, Member: "/data", Old: "(sent)", New: release.Absent}},
		"header":   {func(r *release.Rehearsed) { r.Sent[0].Headers = []string{"X-Mac", "X-New"} }, release.Difference{Aspect: release.AspectHeader, Member: "X-New", Old: release.Absent, New: "(sent)"}},
		"answer": {
			func(r *release.Rehearsed) { r.Read["/answer/result/outcome"] = `"OUTCOME_DECLINED"` },
			release.Difference{Aspect: release.AspectAnswer, Member: "/answer/result/outcome", Old: `"OUTCOME_APPROVED"`, New: `"OUTCOME_DECLINED"`},
		},
		"native": {func(r *release.Rehearsed) { r.Native["/code"] = "0" }, release.Difference{Aspect: release.AspectNative, Member: "/code", Old: `"OK"`, New: "0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var old, again, next []release.Rehearsed
			for i := range 3 {
				id := fmt.Sprint("e", i)
				old = append(old, done(id, nil))
				again = append(again, done(id, func(r *release.Rehearsed) { r.Sent[0].Body["/nonce"] = `"2"` }))
				next = append(next, done(id, func(r *release.Rehearsed) {
					r.Sent[0].Body["/nonce"] = `"3"`
					if i > 0 {
						x.change(r)
					}
				}))
			}
			x.want.Operation, x.want.PaymentType, x.want.Count, x.want.Exchange = "pay", "SHOP_PAY", 2, "e1"
			want := release.Rehearsal{
				Replayed: 3, Operations: map[string]int{"pay": 3}, Differences: []release.Difference{x.want}, Ignored: []string{"pay body /nonce"},
			}
			if d := cmp.Diff(want, release.Compare(old, again, next)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCompareOfTheSame(t *testing.T) {
	t.Parallel()
	same := []release.Rehearsed{done("a", nil), done("b", nil)}
	if got := release.Compare(same, same, same); len(got.Differences) != 0 || len(got.Ignored) != 0 || got.Replayed != 2 {
		t.Errorf("got %+v", got)
	}
	// An exchange whose time was up meanwhile is left out.
	if got := release.Compare(same, same[:1], same[1:]); len(got.Differences) != 0 || got.Replayed != 1 {
		t.Errorf("got %+v", got)
	}
}

// A further request is counted, and what it holds is told with its number.
func TestCompareOfFurtherRequests(t *testing.T) {
	t.Parallel()
	same := []release.Rehearsed{done("a", nil)}
	next := []release.Rehearsed{done("a", func(r *release.Rehearsed) {
		r.Sent = append(r.Sent, release.Sent{Method: "GET", Host: "gateway.example", Path: "/find", Query: map[string]string{"order": "1"}})
	})}
	var lines []string
	for _, d := range release.Compare(same, same, next).Differences {
		lines = append(lines, strings.TrimSpace(fmt.Sprint(d.Aspect, " ", d.Member, " ", d.New)))
	}
	want := []string{"requests  2", "method request 2 GET", "host request 2 gateway.example", "path request 2 /find", "query request 2 order 1"}
	if d := cmp.Diff(want, lines); d != "" {
		t.Error(d)
	}
}

// Two versions that both pass the recording by are no success, and neither are two that send nothing.
func TestCompareOfWhatProvesNothing(t *testing.T) {
	t.Parallel()
	dialling := []release.Rehearsed{done("a", func(r *release.Rehearsed) { r.Dialled = 1 })}
	if got := release.Compare(dialling, dialling, dialling); len(got.Differences) != 1 || got.Differences[0].Aspect != release.AspectNetwork {
		t.Errorf("both dial: %+v", got)
	}
	silent := []release.Rehearsed{done("a", func(r *release.Rehearsed) { r.Sent = nil })}
	if got := release.Compare(silent, silent, silent); got.Silent != 1 || len(got.Differences) != 0 {
		t.Errorf("both are silent: %+v", got)
	}
}

func TestCompareIsBounded(t *testing.T) {
	t.Parallel()
	old, next := []release.Rehearsed{done("a", nil)}, []release.Rehearsed{done("a", func(r *release.Rehearsed) {
		for i := range 1000 {
			r.Native[fmt.Sprint("/n", i)] = strings.Repeat("長", 1000)
		}
	})}
	got := release.Compare(old, old, next)
	if len(got.Differences) != 200 || got.More != 800 || len([]rune(got.Differences[0].New)) != 201 {
		t.Errorf("%d differences, %d more", len(got.Differences), got.More)
	}
}
