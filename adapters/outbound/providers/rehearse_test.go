package providers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/providers"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/host/shim"
	"github.com/payrack/payrack/plugins/sdk/provider"
	"github.com/payrack/payrack/ports/outbound"
)

func shopRole(version, does string) role {
	return role{Name: "shop", Version: version, Type: "SHOP_PAY", Behaviour: strings.TrimSpace("shop " + does)}
}

// theatre is a platform that records.
type theatre struct {
	platform

	store     *providers.Exchanges
	rehearser outbound.Rehearser
	dir       string
}

func newTheatre(t *testing.T, settings map[string]json.RawMessage, change ...func(*host.Options)) theatre {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "exchanges")
	store, err := providers.OpenExchanges(providers.ExchangeOptions{Dir: dir, Keep: 1000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	p := newPlatform(t, append(change, func(o *host.Options) { o.Exchanges = store.Record() })...)
	p = newAdapter(t, p.host, p.dir, func(o *providers.Options) { o.Settings = settings })
	return theatre{platform: p, store: store, rehearser: p.Rehearsals(store), dir: dir}
}

func endpoints(base string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"endpoints":{"live":%q,"test":%q}}`, base, base))
}

func shopHead() provider.Call {
	return provider.Call{
		OperationID: "op-1", PaymentType: "SHOP_PAY", Environment: provider.EnvironmentTest, Account: "shop-1",
		Credential: provider.NewDocument([]byte(`{"shop":"shop-1","key":"` + shopKey + `"}`)),
		Columns:    provider.NewDocument([]byte(`{"note":"für Onkel Chen"}`)),
	}
}

// season is the traffic of a shop: a success, a decline, an unknown outcome, and two searches.
func (x theatre) season(t *testing.T) {
	t.Helper()
	x.activate(t, binary(t, shopRole("1.0.0", "")))
	lease, err := x.host.Slot("shop").Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for i, want := range []provider.Outcome{provider.OutcomeApproved, provider.OutcomeDeclined, provider.OutcomeUnknown} {
		got := lease.Pay(ctx, provider.PayRequest{
			Call: shopHead(), Reference: provider.Reference{OrderID: fmt.Sprint("A-", i+1)}, Capture: true,
			Amount: provider.Money{Units: 229, Currency: "TWD"}, Code: provider.NewSecret(shopCode), Description: "für Onkel Chen",
		})
		if got.Outcome() != want {
			t.Fatalf("payment A-%d: %v %+v", i+1, got.Outcome(), got.Failure())
		}
	}
	for _, order := range []string{"A-1", "A-4"} {
		if got := lease.Search(ctx, provider.SearchRequest{Call: shopHead(), Reference: provider.Reference{OrderID: order}}); got.Findings == nil {
			t.Fatalf("search %s: %+v", order, got)
		}
	}
	x.await(t, "shop", 5)
}

// await waits until that many exchanges are kept: the stream and the writer are not in the way of a payment.
func (x theatre) await(t *testing.T, name string, n int) []string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		ids, err := x.rehearser.Recorded(t.Context(), name, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) >= n {
			return ids
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d exchanges of %s are kept", len(ids), n, name)
		}
	}
}

// diff is what core/app does.
func (x theatre) diff(t *testing.T, old, next release.Release) release.Rehearsal {
	t.Helper()
	ids, err := x.rehearser.Recorded(t.Context(), old.Name, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var runs [3][]release.Rehearsed
	for i, r := range []release.Release{old, old, next} {
		if runs[i], err = x.rehearser.Rehearse(t.Context(), r, ids); err != nil {
			t.Fatal(err)
		}
	}
	return release.Compare(runs[0], runs[1], runs[2])
}

// Each kind of difference between two real binaries is found, with the member and both values, and nothing else is;
// two builds that do the same show none. All the while the gateway sees nothing.
func TestDiffOfTwoReleases(t *testing.T) {
	t.Parallel()
	base, seen := shopGateway(t)
	x := newTheatre(t, map[string]json.RawMessage{"shop": endpoints(base)})
	x.season(t)
	before := seen.Load()
	old := binary(t, shopRole("1.0.0", ""))
	for does, want := range map[string][]string{
		"same":     nil,
		"path":     {"pay path  3 /pay /v2/pay"},
		"method":   {"pay method  3 POST PUT"},
		"query":    {"pay query lang 3 (absent) zh"},
		"header":   {"pay header X-Nonce 3 (sent) (absent)", "search header X-Nonce 2 (sent) (absent)"},
		"body":     {"pay body /amount 3 229 (absent)", "pay body /total 3 (absent) 229"},
		"value":    {"pay body /amount 3 229 22900"},
		"amount":   {`pay answer /answer/result/captured/units 1 "229" "228"`},
		"outcome":  {`pay answer /answer/result/decline_code 1 "insufficient_funds" (absent)`, `pay answer /answer/result/outcome 1 "OUTCOME_DECLINED" "OUTCOME_UNKNOWN"`},
		"native":   {`pay native /code 2`, `pay native /returnCode 2`},
		"complete": {"search answer /search/findings/complete 1 true (absent)"},
		"crash":    {"pay run  1 answered gave no answer: the plugin died over the call; its log says why"},
	} {
		t.Run(does, func(t *testing.T) {
			t.Parallel()
			got := x.diff(t, old, binary(t, shopRole("1.1.0-"+does, does)))
			if got.Replayed != 5 || got.Operations["pay"] != 3 || got.Operations["search"] != 2 || got.Silent != 0 {
				t.Errorf("replayed %d: %v, silent %d", got.Replayed, got.Operations, got.Silent)
			}
			var lines []string
			for _, d := range got.Differences {
				lines = append(lines, fmt.Sprint(d.Operation, " ", d.Aspect, " ", d.Member, " ", d.Count, " ", d.Old, " ", d.New))
			}
			if len(lines) != len(want) {
				t.Fatalf("differences:\n%s\nwant:\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
			}
			for i := range want {
				if !strings.HasPrefix(lines[i], want[i]) {
					t.Errorf("difference %q, want %q", lines[i], want[i])
				}
			}
			if !slices.Equal(got.Ignored, []string{"pay body /sent"}) {
				t.Errorf("ignored %q", got.Ignored)
			}
		})
	}
	t.Cleanup(func() {
		if n := seen.Load(); n != before {
			t.Errorf("the gateway saw %d requests of the rehearsals", n-before)
		}
	})
}

// A version that asks more than was recorded is shown, and what it asks in vain.
func TestDiffShowsAFurtherRequest(t *testing.T) {
	t.Parallel()
	base, _ := shopGateway(t)
	x := newTheatre(t, map[string]json.RawMessage{"shop": endpoints(base)})
	x.season(t)
	got := x.diff(t, binary(t, shopRole("1.0.0", "")), binary(t, shopRole("1.2.0", "extra")))
	if len(got.Differences) == 0 || got.Differences[0].Aspect != release.AspectRequests || got.Differences[0].Old != "1" || got.Differences[0].New != "2" {
		t.Errorf("differences %+v", got.Differences)
	}
}

// A version that passes the recording by reaches nobody and is told of: http.DefaultClient is closed by the SDK, and a
// socket of its own by the sandbox of its process. The listener that it tries sees no connection at all.
func TestDiffShowsWhoDials(t *testing.T) {
	t.Parallel()
	trap, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var seen atomic.Int32
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := trap.Accept()
			if err != nil {
				return
			}
			seen.Add(1)
			_ = conn.Close()
		}
	}()
	base, _ := shopGateway(t)
	x := newTheatre(t, map[string]json.RawMessage{"shop": endpoints(base)}, func(o *host.Options) {
		o.Env, o.Shim = []string{"SHOP_TRAP=" + trap.Addr().String()}, []string{"/proc/self/exe", shim.Argument}
	})
	x.season(t)
	got := x.diff(t, binary(t, shopRole("1.0.0", "")), binary(t, shopRole("1.3.0", "dials")))
	if len(got.Differences) != 1 || got.Differences[0].Aspect != release.AspectNetwork || got.Differences[0].Count != 3 {
		t.Errorf("differences %+v", got.Differences)
	}
	// The same attempt from here: the listener would have seen one of theirs.
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", trap.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Read(make([]byte, 1)) // until it was accepted and closed
	_ = conn.Close()
	_ = trap.Close()
	<-ended
	if n := seen.Load(); n != 1 {
		t.Errorf("%d connections from rehearsals", n-1)
	}
}

// No secret of a call is in any file of the recordings; the search would have found it.
func TestRecordingsHoldNoSecret(t *testing.T) {
	t.Parallel()
	base, _ := shopGateway(t)
	x := newTheatre(t, map[string]json.RawMessage{"shop": endpoints(base)})
	x.season(t)
	all := decoded(t, x.dir)
	for what, secret := range map[string]string{"key": shopKey, "code": shopCode, "owner": shopOwner, "note": "Onkel"} {
		if strings.Contains(all, secret) {
			t.Errorf("the %s is in the recordings", what)
		}
	}
	for _, known := range []string{"shop-1", "A-1", "T-A-1", `"amount":229`, "paid with ", "X-Mac", "insufficient_funds"} {
		if !strings.Contains(all, known) {
			t.Errorf("%q is not in the recordings: the search proves nothing", known)
		}
	}
}

// decoded reads all files below a folder, with the bodies in them decoded, and checks that nobody else can.
func decoded(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		out.Write(text)
		var doc any
		if err := json.Unmarshal(text, &doc); err != nil {
			return err
		}
		texts(doc, &out)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}
