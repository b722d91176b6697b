package providers_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/dialects"
	"github.com/payrack/payrack/plugins/sandbox/sandboxtest"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// build builds a bundled provider as make plugins does.
func build(t *testing.T, name, version string) release.Release {
	t.Helper()
	path := filepath.Join(t.TempDir(), "payrack-provider-"+name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-X github.com/payrack/payrack/plugins/sdk/provider.Version="+version, "-o", path,
		"github.com/payrack/payrack/plugins/providers/"+name+"/cmd/payrack-provider-"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	return release.Release{Name: name, Version: version, Path: path, SHA256: hex.EncodeToString(sum[:]), Status: release.Installed}
}

// The bundled providers, sealing and signing ones, are recorded at work with the sandbox and rehearse themselves: with
// the sandbox gone and dummy keys, two releases that differ in their version only show no difference, and the secrets
// of the accounts are in no file.
func TestBundledProvidersRehearseThemselves(t *testing.T) {
	t.Parallel()
	if testing.Short() || raced {
		t.Skip("builds provider binaries")
	}
	for _, d := range dialects.All() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			stage := sandboxtest.Start(t, sandbox.Options{Dialects: []sandbox.Dialect{d}})
			settings := d.Settings(stage.URL)
			if d.Name == "ecpay" {
				settings = withMember(t, settings, "return_url", "https://shop.example/notify")
			}
			x := newTheatre(t, map[string]json.RawMessage{d.Name: settings})
			old := build(t, d.Name, "1.0.0")
			next := old
			if d.Name == "linepay" || d.Name == "ipass" { // one that signs and one that seals; linking takes its time
				next = build(t, d.Name, "1.0.1")
			}
			x.activate(t, old)
			secrets := x.trade(t, d, stage)
			stage.Stop()
			ids := x.settled(t, d.Name)
			got := x.diff(t, old, next)
			for _, difference := range got.Differences {
				t.Errorf("difference %+v", difference)
			}
			if got.Replayed != len(ids) || got.Silent != 0 {
				t.Errorf("replayed %d of %d, silent %d", got.Replayed, len(ids), got.Silent)
			}
			x.faithful(t, old, ids)
			all := decoded(t, x.dir)
			for _, secret := range secrets {
				if strings.Contains(all, secret) {
					t.Errorf("a secret is in the recordings")
				}
			}
			if !strings.Contains(all, "ORDER1") {
				t.Error("the search for secrets proves nothing: it does not find the order either")
			}
		})
	}
}

func withMember(t *testing.T, doc json.RawMessage, name string, value any) json.RawMessage {
	t.Helper()
	members := map[string]any{}
	if err := json.Unmarshal(doc, &members); err != nil {
		t.Fatal(err)
	}
	members[name] = value
	out, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// trade pays, is declined, searches, gives back, and returns the secrets that were used.
func (x theatre) trade(t *testing.T, d sandbox.Dialect, stage *sandboxtest.Sandbox) (secrets []string) {
	t.Helper()
	lease, err := x.host.Slot(d.Name).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	enrol := func(where string, body any) {
		if status := stage.Control(http.MethodPost, where, body, nil); status >= http.StatusBadRequest {
			t.Fatalf("sandbox %s: %d", where, status)
		}
	}
	for _, account := range d.Accounts(rand.Reader) {
		enrol("accounts", map[string]any{"provider": d.Name, "credential": account.Credential})
		secrets = append(secrets, hidden(t, lease.Info(), account)...)
		for _, paymentType := range account.Types {
			call := provider.Call{
				OperationID: "op", PaymentType: paymentType, Environment: provider.EnvironmentTest,
				NotAfter: time.Now().Add(time.Minute), Credential: provider.NewDocument(account.Credential),
			}
			if paymentType == "LINE_PREAPPROVED_PAY" {
				continue // begins with an approval
			}
			for i, order := range []string{"ORDER-1", "ORDER-2"} {
				code := d.NewCode(rand.Reader)
				secrets = append(secrets, code)
				enrol("codes", map[string]any{"provider": d.Name, "code": code})
				order += account.Label[:1] + paymentType[:6] // ECPay takes letters and digits
				order = strings.NewReplacer("-", "", "_", "").Replace(order)
				reference := provider.Reference{OrderID: order, ClientReference: "R" + order}
				r := provider.PayRequest{
					Call: call, Reference: reference, Amount: provider.Money{Units: 229, Currency: "TWD"}, Capture: true, Description: "烏龍茶",
					Code: provider.NewSecret(code),
				}
				r.Call.Columns = columns(d.Name)
				if paymentType == "LINE_PAY" {
					r.Code, r.Redirect = provider.Secret{}, &provider.Redirect{ConfirmURL: "https://shop.example/done", CancelURL: "https://shop.example/no"}
				}
				if i == 1 {
					stage.Arm(sandboxtest.Object{"provider": d.Name, "fault": sandbox.FaultGarbled})
				}
				paid := lease.Pay(ctx, r)
				stage.Disarm()
				if paid.Result() != nil {
					reference.TransactionID = paid.Result().Reference.TransactionID
				}
				_ = lease.Search(ctx, provider.SearchRequest{Call: call, Reference: reference, About: provider.KindPay})
				_ = lease.Refund(ctx, provider.RefundRequest{Call: call, Reference: reference, Amount: provider.Money{Units: 100, Currency: "TWD"}})
			}
		}
	}
	return secrets
}

// columns are what a till must say beside the neutral values.
func columns(name string) provider.Document {
	return provider.NewDocument([]byte(map[string]string{
		"ipass": `{"store_id":"000001","terminal_id":"01"}`,
	}[name]))
}

// hidden are the values of a credential set that its schema marks as secret.
func hidden(t *testing.T, info host.Info, account sandbox.Account) (out []string) {
	t.Helper()
	i := slices.IndexFunc(info.Types, func(x provider.Type) bool { return x.Name == account.Types[0] })
	var schema struct {
		Properties map[string]struct {
			Secret bool `json:"x-payrack-secret"` //nolint:tagliatelle // the schema's own name
		} `json:"properties"`
	}
	var set map[string]any
	if err := json.Unmarshal(info.Types[i].Credential, &schema); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(account.Credential, &set); err != nil {
		t.Fatal(err)
	}
	for name, p := range schema.Properties {
		if text, ok := set[name].(string); ok && p.Secret {
			out = append(out, text)
		}
	}
	if len(out) == 0 {
		t.Error("the account has no secret")
	}
	return out
}

// settled waits until nothing more is written: one quiet moment may be a slow machine.
func (x theatre) settled(t *testing.T, name string) []string {
	t.Helper()
	ids := x.await(t, name, 3)
	for quiet, rounds := 0, 0; quiet < 20 && rounds < 300; rounds++ {
		time.Sleep(100 * time.Millisecond)
		again := x.await(t, name, len(ids))
		if quiet++; len(again) != len(ids) {
			quiet = 0
		}
		ids = again
	}
	return ids
}

// faithful checks that a rehearsal reads what the recording says that was read: with the sealed parts in clear and the
// signatures' verdicts repeated, a call goes the way that it went.
func (x theatre) faithful(t *testing.T, r release.Release, ids []string) {
	t.Helper()
	runs, err := x.rehearser.Rehearse(t.Context(), r, ids)
	if err != nil {
		t.Fatal(err)
	}
	approved := 0
	for _, run := range runs {
		if run.Failed != "" || len(run.Sent) != run.Recorded {
			t.Errorf("%s: sent %d of %d requests, %s", run.Exchange, len(run.Sent), run.Recorded, run.Failed)
		}
		if run.Read["/answer/result/outcome"] == `"OUTCOME_APPROVED"` || run.Read["/search/findings/finding"] == `"FINDING_FOUND"` {
			approved++
		}
	}
	if approved < 2 {
		t.Errorf("%d of %d rehearsed calls were approved or found: %v", approved, len(runs), ids)
		for _, run := range runs {
			t.Log(run.Exchange, run.Read)
		}
	}
}
