package providers_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/outbound/providers"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
)

const roleMark = "\nPAYRACK-TEST-PLUGIN:"

// role is written behind the end of a copy of this test binary, which is then a plugin release with a name,
// a version and a digest of its own; no build is needed.
type role struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Type    string `json:"type"`
	// Alias is the last part of the alias route of pay.
	Alias string `json:"alias,omitempty"`
	// Behaviour is crash, two-types-one-route or a broken schema.
	Behaviour string `json:"behaviour,omitempty"`
}

func TestMain(m *testing.M) {
	if r, ok := myRole(); ok {
		playPlugin(r)
	}
	code := m.Run()
	_ = os.RemoveAll(sharedDir())
	os.Exit(code)
}

func myRole() (role, bool) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return role{}, false
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return role{}, false
	}
	tail := make([]byte, 512)
	n, _ := f.ReadAt(tail, info.Size()-int64(len(tail)))
	_, text, ok := strings.Cut(string(tail[:n]), roleMark)
	var r role
	return r, ok && json.Unmarshal([]byte(text), &r) == nil
}

var sharedDir = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "prp")
	if err != nil {
		panic(err)
	}
	return dir
})

var (
	binariesMu sync.Mutex
	binaries   = map[role]release.Release{}
)

// binary makes a plugin binary with that role.
func binary(tb testing.TB, r role) release.Release {
	tb.Helper()
	binariesMu.Lock()
	defer binariesMu.Unlock()
	if made, ok := binaries[r]; ok {
		return made
	}
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	source, err := os.Open(exe)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = source.Close() }()
	f, err := os.CreateTemp(sharedDir(), "plugin")
	if err != nil {
		tb.Fatal(err)
	}
	tail, err := json.Marshal(r)
	if err != nil {
		tb.Fatal(err)
	}
	h := sha256.New()
	size, err := io.Copy(io.MultiWriter(f, h), io.MultiReader(source, strings.NewReader(roleMark+string(tail))))
	if err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(f.Name(), 0o500); err != nil {
		tb.Fatal(err)
	}
	made := release.Release{
		Name: r.Name, Version: r.Version, Path: f.Name(), SHA256: hex.EncodeToString(h.Sum(nil)), Size: size, Status: release.Installed,
	}
	binaries[r] = made
	return made
}

func alpha() role {
	return role{Name: "alpha", Version: "1.0.0", Type: "ALPHA_PAY", Alias: "offline/pay"}
}

// platform is an adapter over a host of its own.
type platform struct {
	*providers.Providers

	host *host.Host
	dir  string
}

func newPlatform(tb testing.TB, change ...func(*host.Options)) platform {
	tb.Helper()
	run, err := os.MkdirTemp("", "prr") //nolint:usetesting // the path must be short: sockets lie below it
	if err != nil {
		tb.Fatal(err)
	}
	// A loaded machine may take longer for a start, a ping and a restart than the product allows; a test that is about one
	// of them sets its own.
	o := host.Options{
		RunDir: run, AllowDynamic: true, RestartWait: 20 * time.Second, PingTimeout: 10 * time.Second,
		StartTimeout: time.Minute, StepTimeout: 30 * time.Second, DescribeTimeout: time.Minute,
	}
	for _, c := range change {
		c(&o)
	}
	h, err := host.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			tb.Errorf("close: %v", err)
		}
		_ = os.RemoveAll(run)
	})
	return newAdapter(tb, h, filepath.Join(tb.TempDir(), "plugins"))
}

// again is the adapter of a next start: the same store, and nothing known.
func (p platform) again(tb testing.TB) platform {
	tb.Helper()
	next := newPlatform(tb)
	return newAdapter(tb, next.host, p.dir)
}

func newAdapter(tb testing.TB, h *host.Host, dir string, change ...func(*providers.Options)) platform {
	tb.Helper()
	o := providers.Options{
		Host: h, StoreDir: dir, Settings: map[string]json.RawMessage{"alpha": json.RawMessage(`{"label":"from the settings"}`)},
	}
	for _, c := range change {
		c(&o)
	}
	p, err := providers.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return platform{Providers: p, host: h, dir: dir}
}

func (p platform) activate(tb testing.TB, r release.Release) {
	tb.Helper()
	if err := p.Activate(tb.Context(), r); err != nil {
		tb.Fatal(err)
	}
}

// Activate prepares a release and routes everything to it, as the core does.
func (p platform) Activate(ctx context.Context, r release.Release) error {
	return activateAt(ctx, p.Providers, r)
}

func activateAt(ctx context.Context, p *providers.Providers, r release.Release) error {
	if err := p.Runtime().Prepare(ctx, r); err != nil {
		return err
	}
	return p.Runtime().Route(ctx, release.Channel{Name: r.Name, Stable: r.Version, Phase: release.Idle, Enabled: true}, []release.Release{r})
}
