package host_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

func TestDescriptionsAreChecked(t *testing.T) {
	t.Parallel()
	if _, err := host.InfoFromWire(rawInfo()); err != nil {
		t.Fatalf("the valid one: %v", err)
	}
	pay := func(r *providerv1.GetInfoResponse) *providerv1.Operation { return r.GetTypes()[0].GetOperations()[0] }
	for says, change := range map[string]func(*providerv1.GetInfoResponse){
		"name \"Big\"":                 func(r *providerv1.GetInfoResponse) { r.Name = "Big" },
		"version":                      func(r *providerv1.GetInfoResponse) { r.Version = "../1" },
		"message_from":                 func(r *providerv1.GetInfoResponse) { r.MessageFrom = "a b" },
		"contract_revision":            func(r *providerv1.GetInfoResponse) { r.ContractRevision = 0 },
		"no payment type":              func(r *providerv1.GetInfoResponse) { r.Types = nil },
		"settings_schema is no JSON":   func(r *providerv1.GetInfoResponse) { r.SettingsSchema = []byte("[]") },
		"is there twice":               func(r *providerv1.GetInfoResponse) { r.Types = append(r.Types, r.GetTypes()[0]) },
		"type name":                    func(r *providerv1.GetInfoResponse) { r.GetTypes()[0].Name = "LINE PAY" },
		"credential_schema":            func(r *providerv1.GetInfoResponse) { r.GetTypes()[0].CredentialSchema = nil },
		"has no currency":              func(r *providerv1.GetInfoResponse) { r.GetTypes()[0].Currencies = nil },
		"currency \"usd\"":             func(r *providerv1.GetInfoResponse) { r.GetTypes()[0].GetCurrencies()[0].Code = "usd" },
		"9 decimals":                   func(r *providerv1.GetInfoResponse) { r.GetTypes()[0].GetCurrencies()[0].Exponent = 9 },
		"without a kind":               func(r *providerv1.GetInfoResponse) { pay(r).Kind = 0 },
		"the operation pay twice":      func(r *providerv1.GetInfoResponse) { r.GetTypes()[0].GetOperations()[1].Kind = 1 },
		"columns_schema":               func(r *providerv1.GetInfoResponse) { pay(r).ColumnsSchema = []byte("{") },
		"max_duration must be above 0": func(r *providerv1.GetInfoResponse) { pay(r).MaxDuration = nil },
		"landing_max is no positive":   func(r *providerv1.GetInfoResponse) { pay(r).LandingMax = durationpb.New(-1) },
		"is not below /v1/payment/testpay/": func(r *providerv1.GetInfoResponse) {
			pay(r).Aliases = []*providerv1.Route{{Method: "POST", Path: "/v1/payment/testpay/../linepay/pay"}}
		},
		"alias method": func(r *providerv1.GetInfoResponse) {
			pay(r).Aliases = []*providerv1.Route{{Method: "CONNECT", Path: "/v1/payment/testpay/pay"}}
		},
		"native body is no JSON": func(r *providerv1.GetInfoResponse) {
			pay(r).NativeBodies = []*providerv1.NativeBody{{Situation: 1, Body: []byte("x")}}
		},
	} {
		r := rawInfo()
		change(r)
		if _, err := host.InfoFromWire(r); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v; want %q", err, says)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	const base, limit = 500 * time.Millisecond, time.Minute
	for before, most := range map[int]time.Duration{0: 0, 1: base, 2: 2 * base, 5: 16 * base, 20: limit, 1000: limit} {
		for range 100 {
			if got := host.Backoff(before, base, limit); got > most || got < most/2 {
				t.Fatalf("after %d crashes: %s, want %s to %s", before, got, most/2, most)
			}
		}
	}
}

func TestRunDirectory(t *testing.T) {
	t.Parallel()
	if _, err := host.New(host.Options{RunDir: "/tmp/" + strings.Repeat("x", 60)}); !errors.Is(err, host.ErrRunDirTooLong) {
		t.Errorf("a long path: %v", err)
	}
	open, err := os.MkdirTemp("", "prd") //nolint:usetesting // a socket path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(open) })
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := host.New(host.Options{RunDir: open}); err == nil || !strings.Contains(err.Error(), "0700") {
		t.Errorf("a directory that others can read: %v", err)
	}
	link := filepath.Join(open, "l")
	if err := os.Symlink("/tmp", link); err != nil {
		t.Fatal(err)
	}
	if _, err := host.New(host.Options{RunDir: link}); err == nil {
		t.Error("a link was accepted")
	}
}

func TestCrashReportTakesOnlyTheCrash(t *testing.T) {
	t.Parallel()
	var logs logBuffer
	report := host.LogLines(t.Context(), `{"level":"WARN","msg":"before"}
panic: oh

goroutine 1 [running]:
{"level":"ERROR","msg":"beside"}
main.main()
`, logs.logger())
	if report != "panic: oh\ngoroutine 1 [running]:\nmain.main()\n" {
		t.Errorf("report %q", report)
	}
	for _, want := range []string{`"level":"WARN","msg":"plugin log","text":"before"`, `"level":"ERROR","msg":"plugin log","text":"beside"`} {
		if !strings.Contains(logs.String(), want) {
			t.Errorf("no %s in %s", want, logs.String())
		}
	}
	if long := host.LogLines(t.Context(), "fatal error: x\n"+strings.Repeat("frame\n", 10_000), logs.logger()); len(long) > 17<<10 {
		t.Errorf("a report of %d bytes", len(long))
	}
}

// Whatever a plugin writes, the host's log stays one JSON object a line.
func FuzzPluginLog(f *testing.F) {
	for _, s := range []string{
		`{"@message":1}`, `{"msg":"x","level":"INFO","a":{"b":[1,2]}}`, "panic: x\n", "\x00\xff\x1b[2J", `{"msg":"x","msg":2}`,
		`{"msg":"\ud800","trace_id":7}`, strings.Repeat("x", 40_000),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var logs logBuffer
		host.LogLines(t.Context(), text, logs.logger())
		for line := range strings.SplitSeq(strings.TrimSpace(logs.String()), "\n") {
			if line != "" && !json.Valid([]byte(line)) {
				t.Errorf("%q became %q", text, line)
			}
		}
	})
}
