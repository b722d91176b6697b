package e2e_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// bug is a mistake that a release is built with: a replacement in one of the provider's files. The source tree stays as it
// is.
type bug struct{ file, old, new string }

// The releases that no gate may let through.
var (
	// crashes ends the process between the provider's answer and the platform's.
	crashes = bug{
		"pay.go", "\treturn payOutcome(r, e)\n}\n\n// began",
		"\tended := make(chan struct{})\n\tgo func() { panic(\"a release that crashes\") }()\n\t<-ended\n\treturn payOutcome(r, e)\n}\n\n// began",
	}
	// overcharges reads a hundred times what was paid.
	overcharges = bug{"money.go", "\treturn &total, nil\n", "\ttotal.Units *= 100\n\treturn &total, nil\n"}
)

// releasesDir is the folder of the releases that tests share; TestMain removes it.
var releasesDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "payrack-releases-") })

func TestMain(m *testing.M) {
	flag.Parse()
	if n := runtime.GOMAXPROCS(0); flag.Lookup("test.parallel").Value.String() == strconv.Itoa(n) {
		// These tests wait for other processes more than they compute, so twice as many as usual run at a time.
		if err := flag.Set("test.parallel", strconv.Itoa(2*n)); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	if dir, err := releasesDir(); err == nil {
		_ = os.RemoveAll(dir)
	}
	if ownBuild != "" {
		_ = os.RemoveAll(ownBuild)
	}
	os.Exit(code)
}

// The releases without a bug, which most tests want.
var (
	buildOld  = sync.OnceValues(func() (string, error) { return buildLinePay("1.0.0") })
	buildNext = sync.OnceValues(func() (string, error) { return buildLinePay("1.1.0") })
)

// linePayRelease builds LINE Pay's provider under a version, with a bug or as it is.
func linePayRelease(t *testing.T, version string, with ...bug) string {
	t.Helper()
	path, err := buildLinePay(version, with...)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func buildLinePay(version string, with ...bug) (string, error) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		return "", err
	}
	all, err := releasesDir()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(all, version+"-")
	if err != nil {
		return "", err
	}
	overlay := map[string]string{}
	for _, b := range with {
		original := filepath.Join(root, "plugins", "providers", "linepay", b.file)
		text, err := os.ReadFile(original)
		if err != nil {
			return "", err
		}
		if n := strings.Count(string(text), b.old); n != 1 {
			return "", fmt.Errorf("%s holds the place of the bug %d times: %q", b.file, n, b.old)
		}
		overlay[original] = filepath.Join(dir, b.file)
		if err := os.WriteFile(overlay[original], []byte(strings.Replace(string(text), b.old, b.new, 1)), 0o600); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(jsonObject{"Replace": overlay})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "payrack-provider-linepay")
	cmd := exec.Command("go", "build", "-trimpath", "-overlay", list,
		"-ldflags", "-s -w -X github.com/payrack/payrack/plugins/sdk/provider.Version="+version, "-o", path,
		"./plugins/providers/linepay/cmd/payrack-provider-linepay")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build linepay %s: %w\n%s", version, err, out)
	}
	return path, nil
}

// channel is a provider as the admin plane shows it.
type channel struct {
	Name    string `json:"name"`
	Channel struct {
		Stable     string `json:"stable"`
		Candidate  string `json:"candidate"`
		Previous   string `json:"previous"`
		Phase      string `json:"phase"`
		Generation int64  `json:"generation"`
	} `json:"channel"`
	Instances []struct {
		Version string `json:"version"`
		PID     int    `json:"pid"`
		State   string `json:"state"`
	} `json:"instances"`
	Replicas []struct {
		Replica    string   `json:"replica"`
		Alive      bool     `json:"alive"`
		Generation int64    `json:"generation"`
		Ready      []string `json:"ready"`
	} `json:"replicas"`
}

// pid is the process of a version that takes calls or is kept warm, 0 if there is none.
func (c channel) pid(version string) int {
	for _, i := range c.Instances {
		if i.Version == version && (i.State == "serving" || i.State == "ready") {
			return i.PID
		}
	}
	return 0
}

// linePayChannel reads how LINE Pay stands.
func (p *platform) linePayChannel() channel {
	p.t.Helper()
	var page struct {
		Plugins []channel `json:"plugins"`
	}
	decode(p.t, p.admin(http.MethodGet, "plugins", nil).body, &page)
	i := slices.IndexFunc(page.Plugins, func(c channel) bool { return c.Name == "linepay" })
	if i < 0 {
		p.t.Fatal("there is no linepay")
	}
	return page.Plugins[i]
}

// admin asks the admin plane.
func (p *platform) admin(method, path string, body jsonObject) answer {
	p.t.Helper()
	var raw []byte
	if body != nil {
		raw = encode(p.t, body)
	}
	return p.do(method, p.AdminURL+"/admin/v1/"+path, raw, "Authorization", "Bearer "+p.AdminToken)
}

// order gives an order about LINE Pay that must be taken.
func (p *platform) order(verb string, body jsonObject) answer {
	p.t.Helper()
	a := p.admin(http.MethodPost, "plugins/linepay/"+verb, body)
	if a.status != http.StatusOK {
		p.t.Fatalf("%s %v: %s\n%s", verb, body, a, tail(p.output.String()))
	}
	return a
}

// install installs a binary that lies beside the platform.
func (p *platform) install(path string) {
	p.t.Helper()
	if a := p.admin(http.MethodPost, "plugins/releases", jsonObject{"path": path}); a.status != http.StatusCreated {
		p.t.Fatalf("install: %s", a)
	}
}

// happening is an event of a provider.
type happening struct {
	N     int64  `json:"n"`
	Event string `json:"event"`
	Body  struct {
		Actor    string `json:"actor"`
		Reason   string `json:"reason"`
		Stable   string `json:"stable"`
		Evidence string `json:"evidence"`
	} `json:"body"`
}

// happened are the events of LINE Pay with a name, oldest first.
func (p *platform) happened(event string) []happening {
	p.t.Helper()
	var page struct {
		Data []happening `json:"data"`
	}
	decode(p.t, p.admin(http.MethodGet, "plugins/linepay/events?limit=200", nil).body, &page)
	return slices.DeleteFunc(page.Data, func(h happening) bool { return h.Event != event })
}

// paidBy pays an order and returns the payment's id and the release that took it.
func (p *platform) paidBy(order string) (id, version string) {
	p.t.Helper()
	a := p.post("/v2/payments", p.neutralOrder(order, 229), "Idempotency-Key", order)
	if a.status != http.StatusCreated || a.member("state") != "SUCCEEDED" {
		p.t.Errorf("%s: %s", order, a)
	}
	return a.member("id"), a.member("plugin_version")
}

// releasing is a platform on which LINE Pay's releases 1.0.0, which serves, and 1.1.0 are installed.
func releasing(t *testing.T, args ...string) *platform {
	t.Helper()
	p := start(t, t.TempDir(), nil, args...)
	for _, build := range []func() (string, error){buildOld, buildNext} {
		path, err := build()
		if err != nil {
			t.Fatal(err)
		}
		p.install(path)
	}
	p.order("activate", jsonObject{"version": "1.0.0"})
	return p
}

// eventually waits until LINE Pay's channel is somewhere.
func (p *platform) eventually(what string, is func(channel) bool) channel {
	p.t.Helper()
	var c channel
	p.waitFor(what, func() bool { c = p.linePayChannel(); return is(c) })
	return c
}

// numbered makes names that no other test has.
func numbered(prefix string) func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("%s-%d-%d", prefix, time.Now().UnixNano()%1_000_000, n) }
}
