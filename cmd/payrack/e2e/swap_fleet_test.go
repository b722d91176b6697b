package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// serving expects that new payments are taken by one release, at every process that lives.
func (f fleet) serving(name, version string) {
	f[0].t.Helper()
	for i, p := range f {
		if p.ended() {
			continue
		}
		for n := range 3 {
			if _, got := p.paidBy(fmt.Sprintf("%s-%d-%d", name, i, n)); got != version {
				p.t.Errorf("%s: replica %d took a payment with %s, want %s", name, i, got, version)
			}
		}
	}
}

// TestFleetSwaps swaps the release of three processes on one database by an order to one of them: when it is answered, all
// of them have it. A payment stays with its release whoever is asked. One process is killed in between; it keeps nobody
// waiting for long, and is where the others are when it comes back.
func TestFleetSwaps(t *testing.T) {
	t.Parallel()
	recovery, limits := shortWindows()
	f := newFleet(t, 3, recovery, limits)
	token := strings.TrimSpace(f[0].cli(0, "", "token", "--admin", "--config", filepath.Join(f[0].dir, "serve-0.yaml")))
	for _, p := range f {
		p.AdminToken = token // the furnished one is of another issuer
	}
	for _, build := range []func() (string, error){buildOld, buildNext} {
		path, err := build()
		if err != nil {
			t.Fatal(err)
		}
		f[0].install(path)
	}
	f[0].order("activate", jsonObject{"version": "1.0.0"})
	f.serving("FIRST", "1.0.0")
	c := f[1].linePayChannel()
	live := 0
	for _, r := range c.Replicas {
		if r.Alive {
			live++
			if r.Generation != c.Channel.Generation {
				t.Errorf("replica %s is at generation %d of %d", r.Replica, r.Generation, c.Channel.Generation)
			}
		}
	}
	if live != len(f) {
		t.Errorf("%d replicas live: %+v", live, c.Replicas)
	}

	// Sticky over all replicas: whoever takes the refund, the release is that of the payment.
	f[1].order("canary", jsonObject{"version": "1.1.0", "weight": 50})
	by := map[string]int{}
	for n := range 30 {
		id, version := f[n%3].paidBy(fmt.Sprintf("STICKY-%d", n))
		other := f[(n+1)%3]
		a := other.post("/v2/payments/"+id+"/refunds", jsonObject{}, "Idempotency-Key", "refund-"+id)
		if got := other.admin(http.MethodGet, "payments/"+id, nil).at("operation", "release"); a.status != http.StatusOK || got != "linepay@"+version {
			t.Errorf("paid with %s, given back with %s: %s", version, got, a)
		}
		by[version]++
	}
	if by["1.0.0"] == 0 || by["1.1.0"] == 0 {
		t.Errorf("by release: %v", by)
	}
	f[2].order("rollback", jsonObject{"reason": "enough"})
	f.serving("BACK", "1.0.0")

	// One is gone. The order waits until it counts as dead, and not longer.
	f[2].kill()
	f[1].order("activate", jsonObject{"version": "1.1.0"})
	f.serving("TWO", "1.1.0")

	back := &platform{
		devFile: f[2].devFile, t: t, dir: f[2].dir, output: &lockedBuffer{}, exited: make(chan struct{}), client: newClient(), token: f[2].token,
	}
	back.run("serve", "--config", filepath.Join(back.dir, "serve-2.yaml"))
	back.waitFor("the process that comes back", func() bool {
		a, err := back.send(http.MethodGet, back.HTTPURL+"/readyz", nil)
		return err == nil && a.status == http.StatusOK
	})
	f[2] = back
	f.serving("THREE", "1.1.0")
	f[0].eventually("three replicas in step", func(c channel) bool {
		there := 0
		for _, r := range c.Replicas {
			if r.Alive && r.Generation == c.Channel.Generation {
				there++
			}
		}
		return there == len(f)
	})
}

// TestThreeStartTogether starts three processes at once on a new installation, with the same folder of plugins: one activates
// what it sees first, and none of them fails or serves less than the others. Several times: two of them must not get ahead of
// each other and wait for each other, which happens about every other time if nothing keeps them from it.
//
//nolint:tparallel,paralleltest // one round after the other: nine processes at once would wait for the machine
func TestThreeStartTogether(t *testing.T) {
	t.Parallel()
	for round := range 3 {
		t.Run(strconv.Itoa(round), threeStartTogether)
	}
}

func threeStartTogether(t *testing.T) {
	if os.Getenv("PAYRACK_TEST_POSTGRES") == "" && os.Getenv("PAYRACK_REQUIRE_POSTGRES") == "" {
		t.Skip("replicas share a PostgreSQL database: PAYRACK_TEST_POSTGRES names no server")
	}
	b, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	url := databaseOf(t, dir)[1]
	var f fleet
	var files []string
	for i := range 3 {
		public, admin := freeAddress(t), freeAddress(t)
		files = append(files, configFile(t, dir, fmt.Sprintf("serve-%d", i), jsonObject{
			"environment": "test", "http": jsonObject{"addr": public, "public_url": "http://pay.example"}, "admin": jsonObject{"addr": admin},
			"database": jsonObject{"url": url}, "keys": jsonObject{"dir": filepath.Join(dir, "keys")},
			"plugins":  jsonObject{"dir": b.plugins, "store_dir": filepath.Join(dir, "releases")},
			"shutdown": jsonObject{"drain_delay": "0s", "grace": "10s"},
		}))
		p := &platform{t: t, dir: dir, output: &lockedBuffer{}, exited: make(chan struct{}), client: newClient()}
		p.HTTPURL, p.AdminURL = "http://"+public, "http://"+admin
		f = append(f, p)
	}
	f[0].cli(0, "", "init", "--config", files[0])
	token := strings.TrimSpace(f[0].cli(0, "", "token", "--admin", "--config", files[0]))
	for i, p := range f {
		p.AdminToken = token
		p.run("serve", "--config", files[i])
	}
	for i, p := range f {
		p.waitFor(fmt.Sprintf("process %d", i), func() bool {
			if p.ended() {
				t.Fatalf("payrack serve ended at start:\n%s", p.output)
			}
			a, err := p.send(http.MethodGet, p.HTTPURL+"/readyz", nil)
			return err == nil && a.status == http.StatusOK
		})
		p.waitFor(fmt.Sprintf("all providers at process %d", i), func() bool {
			serving := p.pids()
			return serving["linepay"] != 0 && serving["ipass"] != 0 && serving["icashpay"] != 0 && serving["ecpay"] != 0
		})
		// All of them serve by now. A start that a slow machine gave no time was tried again, and is no error.
		for line := range strings.Lines(p.output.String()) {
			bad := strings.Contains(line, "left out") || strings.Contains(line, "was not started")
			if bad && !strings.Contains(line, "start_timeout") {
				t.Errorf("process %d: %s", i, line)
			}
		}
	}
	if n := len(f[0].happened("plugin.activated")); n != 1 {
		t.Errorf("the first release was activated %d times", n)
	}
}
