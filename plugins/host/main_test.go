package host_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

const (
	pluginName = "testpay"
	testType   = "TEST_PAY"
	roleMark   = "\nPAYRACK-TEST-ROLE:"
)

// role is written behind the end of a copy of this test binary: a release with a version, a digest and
// a behaviour of its own, without a build.
type role struct {
	Version   string `json:"version"`
	Behaviour string `json:"behaviour,omitempty"`
}

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(handshake.CookieKey) == handshake.CookieValue || slices.Contains(os.Args[1:], handshake.InfoFlag):
		playPlugin(myRole())
	case os.Getenv("PAYRACK_TEST_HOST") != "":
		playHost()
	case os.Getenv("PAYRACK_TEST_GATEWAY") != "":
		playGateway()
	default:
		code := m.Run()
		_ = os.RemoveAll(sharedDir())
		os.Exit(code)
	}
}

func myRole() role {
	out := role{Version: "1.0.0"}
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return out
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return out
	}
	tail := make([]byte, 512)
	n, _ := f.ReadAt(tail, info.Size()-int64(len(tail)))
	if _, text, ok := strings.Cut(string(tail[:n]), roleMark); ok {
		_ = json.Unmarshal([]byte(text), &out)
	}
	return out
}

var sharedDir = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "prt")
	if err != nil {
		panic(err)
	}
	return dir
})

var (
	releasesMu sync.Mutex
	releases   = map[role]host.Release{}
)

// release makes a plugin binary with that role.
func release(t testing.TB, r role) host.Release {
	t.Helper()
	releasesMu.Lock()
	defer releasesMu.Unlock()
	if made, ok := releases[r]; ok {
		return made
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.Close() }()
	f, err := os.CreateTemp(sharedDir(), "plugin")
	if err != nil {
		t.Fatal(err)
	}
	tail, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	out := io.MultiWriter(f, h)
	if _, err := io.Copy(out, source); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(out, roleMark+string(tail)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(f.Name(), 0o500); err != nil {
		t.Fatal(err)
	}
	made := host.Release{Name: pluginName, Version: r.Version, Path: f.Name(), SHA256: hex.EncodeToString(h.Sum(nil))}
	releases[r] = made
	return made
}

// newHost makes a host that is closed, and found clean, at the end of the test.
func newHost(t testing.TB, change ...func(*host.Options)) *host.Host {
	t.Helper()
	dir, err := os.MkdirTemp("", "prh") //nolint:usetesting // a socket path must be short
	if err != nil {
		t.Fatal(err)
	}
	// A loaded machine may take longer for a start, a ping and a restart than the product allows; a test that is about one
	// of them sets its own.
	o := host.Options{
		RunDir: dir, AllowDynamic: true, NoTunnel: os.Getenv(envNoTunnel) != "", RestartWait: 20 * time.Second,
		PingTimeout: 10 * time.Second, StartTimeout: time.Minute, StepTimeout: 30 * time.Second, DescribeTimeout: time.Minute,
	}
	for _, c := range change {
		c(&o)
	}
	h, err := host.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
			t.Errorf("left in the run directory: %v", left)
		}
		_ = os.RemoveAll(dir)
	})
	return h
}

func activate(t testing.TB, h *host.Host, r role, settings string) host.Activation {
	t.Helper()
	a, err := h.Slot(pluginName).Activate(t.Context(), release(t, r), []byte(settings))
	if err != nil {
		t.Fatalf("activate %+v: %v", r, err)
	}
	return a
}

func acquire(t *testing.T, h *host.Host) *host.Lease {
	t.Helper()
	l, err := h.Slot(pluginName).Acquire(t.Context())
	if err != nil {
		t.Fatalf("acquire: %v", err)
	}
	t.Cleanup(l.Close)
	return l
}

// withTime is a context with the deadline that every call needs.
func withTime(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// payment is a valid request; the order tells the test plugin what to do.
func payment(order string) provider.PayRequest {
	return provider.PayRequest{
		Call: provider.Call{
			OperationID: "op-" + order, PaymentType: testType, Environment: provider.EnvironmentTest,
			NotAfter: time.Now().Add(time.Minute),
		},
		Reference: provider.Reference{OrderID: order},
		Amount:    provider.Money{Units: 999, Currency: "USD", Exponent: 2},
		Code:      provider.NewSecret("code"),
	}
}

// logBuffer is a log that a test can read while it is written.
type logBuffer struct {
	mu    sync.Mutex
	text  strings.Builder
	bytes int
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes += len(p)
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// eventuallyFor is how long something that happens by itself may take, on a machine that does other things too.
const eventuallyFor = time.Minute

// eventually waits for something that happens by itself.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(eventuallyFor); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}

// asleep waits until the test plugin says that a call has arrived and sleeps.
func asleep(t *testing.T, logs *logBuffer) {
	t.Helper()
	eventually(t, "the call is handed over", func() bool { return strings.Contains(logs.String(), `"text":"asleep"`) })
}

// logging makes the host write into a log.
func logging(logs *logBuffer) func(*host.Options) {
	return func(o *host.Options) { o.Log = logs.logger() }
}

// restarted waits until another process than the one that was killed serves. A call that is handed over
// before the death is noticed is unknown, and that is not what the callers of this want to see.
func restarted(t *testing.T, h *host.Host, killed int) {
	t.Helper()
	eventually(t, "another process serves", func() bool {
		for _, in := range h.Status()[0].Instances {
			if in.State == host.StateServing && in.PID != killed {
				return h.Status()[0].Phase == "serving"
			}
		}
		return false
	})
}

// alive reports whether a process exists and is no zombie.
func alive(pid int) bool {
	b, err := os.ReadFile(filepath.Join("/proc", itoa(pid), "stat"))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return rest != "" && rest[0] != 'Z' && rest[0] != 'X'
}
