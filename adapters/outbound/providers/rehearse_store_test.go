package providers_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/providers"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// texts writes every text of a document, and what it is in base64, as bodies are.
func texts(doc any, out *strings.Builder) {
	switch v := doc.(type) {
	case map[string]any:
		for _, member := range v {
			texts(member, out)
		}
	case []any:
		for _, member := range v {
			texts(member, out)
		}
	case string:
		out.WriteString("\n" + v)
		if raw, err := base64.StdEncoding.DecodeString(v); err == nil {
			out.WriteString("\n" + string(raw))
		}
	}
}

// shelf is a store without plugins.
func shelf(t *testing.T, o providers.ExchangeOptions) (*providers.Exchanges, func(code string, at time.Time)) {
	t.Helper()
	store, err := providers.OpenExchanges(o)
	if err != nil {
		t.Fatal(err)
	}
	record := store.Record()
	return store, func(code string, at time.Time) {
		record(host.Source{Plugin: "shop", Version: "1.0.0"}, host.Exchange{
			At: at, Operation: provider.KindPay, PaymentType: "SHOP_PAY", Code: code, Record: json.RawMessage(`{"code":"x"}`),
		})
	}
}

func files(t *testing.T, dir string) map[string]int {
	t.Helper()
	out := map[string]int{}
	buckets, err := os.ReadDir(filepath.Join(dir, "shop"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range buckets {
		found, err := os.ReadDir(filepath.Join(dir, "shop", b.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[b.Name()] = len(found)
	}
	return out
}

// What is too much goes where most is: a rare return code outlives a hundred successes, also over a restart.
func TestRetentionKeepsRareCodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	store, add := shelf(t, providers.ExchangeOptions{Dir: dir, Keep: 10})
	add("1142", now)
	add("../../etc/passwd", now)
	for range 100 {
		add("0000", now)
	}
	store.Close()
	got := files(t, dir)
	if got["pay.SHOP_PAY.1142"] != 1 || got["pay.SHOP_PAY.0000"] != 8 || len(got) != 3 {
		t.Errorf("kept %v", got)
	}
	store, add = shelf(t, providers.ExchangeOptions{Dir: dir, Keep: 5})
	add("1133", now)
	store.Close()
	if got := files(t, dir); got["pay.SHOP_PAY.1142"] != 1 || got["pay.SHOP_PAY.0000"] != 2 || got["pay.SHOP_PAY.1133"] != 1 {
		t.Errorf("kept %v after the restart", got)
	}
}

func TestRetentionByAgeAndBytes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	old, dir := now.Add(-48*time.Hour), t.TempDir()
	store, add := shelf(t, providers.ExchangeOptions{Dir: dir, Keep: 10, Now: func() time.Time { return old }})
	add("0000", old)
	store.Close()
	store, add = shelf(t, providers.ExchangeOptions{Dir: dir, Keep: 10, MaxAge: 24 * time.Hour})
	add("1142", now)
	store.Close()
	if got := files(t, dir); len(got) != 1 || got["pay.SHOP_PAY.1142"] != 1 {
		t.Errorf("kept %v", got)
	}
	dir = t.TempDir()
	store, add = shelf(t, providers.ExchangeOptions{Dir: dir, Keep: 1000, MaxBytes: 1000})
	for range 100 {
		add("0000", now)
	}
	store.Close()
	if got := files(t, dir)["pay.SHOP_PAY.0000"]; got == 0 || got > 7 {
		t.Errorf("%d files of some 170 bytes are kept in 1000", got)
	}
}

func TestNothingIsRecordedIfNothingIsKept(t *testing.T) {
	t.Parallel()
	store, err := providers.OpenExchanges(providers.ExchangeOptions{Dir: filepath.Join(t.TempDir(), "never")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if store.Record() != nil {
		t.Error("plugins would record for nobody")
	}
	for _, o := range []providers.ExchangeOptions{{}, {Dir: "x", Keep: -1}} {
		if _, err := providers.OpenExchanges(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

// A fair share: the newest of every return code before the second newest of any.
func TestRecordedIsAFairShare(t *testing.T) {
	t.Parallel()
	store, add := shelf(t, providers.ExchangeOptions{Dir: t.TempDir(), Keep: 100})
	now := time.Now()
	for i := range 30 {
		add("0000", now)
		if i%10 == 0 {
			add(fmt.Sprint("D", i), now)
		}
	}
	store.Close()
	p := newPlatform(t)
	ids, err := p.Rehearsals(store).Recorded(t.Context(), "shop", 4)
	if err != nil || len(ids) != 4 {
		t.Fatalf("%v, %v", ids, err)
	}
	seen := map[string]bool{}
	for _, id := range ids {
		bucket, _, _ := strings.Cut(id, "/")
		seen[bucket] = true
	}
	if len(seen) != 4 {
		t.Errorf("recorded %v", ids)
	}
	if ids, err := p.Rehearsals(store).Recorded(t.Context(), "other", 4); err != nil || len(ids) != 0 {
		t.Errorf("of another provider: %v, %v", ids, err)
	}
}
