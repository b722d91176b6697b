package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// jsonObject is a JSON jsonObject, and so a section of a configuration.
type jsonObject = map[string]any

// fleet is one installation that several processes of `payrack serve` share: one PostgreSQL database, one sandbox that no
// restart touches.
type fleet []*platform

// newFleet furnishes an installation and starts its processes. recovery and limits of plugins are those of the test.
func newFleet(t *testing.T, processes int, recovery, limits jsonObject) fleet {
	t.Helper()
	dir := t.TempDir()
	if os.Getenv("PAYRACK_TEST_POSTGRES") == "" && os.Getenv("PAYRACK_REQUIRE_POSTGRES") == "" {
		t.Skip("replicas share a PostgreSQL database: PAYRACK_TEST_POSTGRES names no server")
	}
	furnished := start(t, dir, nil)
	furnished.stop()
	box := sandboxProcess(t, filepath.Join(dir, "sandbox"))
	addresses := make([]string, 2*processes)
	for i := range addresses {
		addresses[i] = freeAddress(t)
	}
	var all fleet
	for i := range processes {
		public, admin := addresses[2*i], addresses[2*i+1]
		settings := jsonObject{}
		for name, path := range map[string]string{"linepay": "", "ipass": "/ipass"} {
			settings[name] = jsonObject{"endpoints": jsonObject{"live": box + path, "test": box + path}}
		}
		file := configFile(t, dir, "serve-"+strconv.Itoa(i), jsonObject{
			"environment": "test",
			// One name for all: a token of one is good at each.
			"http": jsonObject{"addr": public, "public_url": "http://" + addresses[0]}, "admin": jsonObject{"addr": admin},
			"database": jsonObject{"url": furnished.DatabaseURL}, "keys": jsonObject{"dir": filepath.Join(dir, "keys")},
			"plugins": jsonObject{
				"dir": filepath.Join(dir, "none"), "store_dir": filepath.Join(dir, "releases"), "settings": settings, "limits": limits,
			},
			"recovery": recovery, "limits": jsonObject{"requests_per_second": 100_000, "burst": 100_000},
			"shutdown": jsonObject{"drain_delay": "0s", "grace": "10s"},
		})
		p := &platform{
			devFile: furnished.devFile, t: t, dir: dir, output: &lockedBuffer{}, exited: make(chan struct{}), client: newClient(),
		}
		p.HTTPURL, p.AdminURL, p.SandboxURL, p.TokenURL = "http://"+public, "http://"+admin, box, "http://"+public+"/oauth/v1/token"
		p.run("serve", "--config", file)
		all = append(all, p)
	}
	for _, p := range all {
		p.waitFor("payrack serve", func() bool {
			if p.ended() {
				t.Fatalf("payrack serve ended at start:\n%s", p.output)
			}
			a, err := p.send(http.MethodGet, p.HTTPURL+"/readyz", nil)
			return err == nil && a.status == http.StatusOK
		})
		p.token = p.newToken("")
	}
	return all
}

// run starts the program; it is stopped with the test.
func (p *platform) run(args ...string) {
	p.t.Helper()
	b, err := built()
	if err != nil {
		p.t.Fatal(err)
	}
	p.cmd = exec.Command(b.payrack, args...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.exited) }()
	p.t.Cleanup(p.stop)
}

func (p *platform) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// configFile writes a configuration. JSON is YAML, too.
func configFile(t *testing.T, dir, name string, c jsonObject) string {
	t.Helper()
	file := filepath.Join(dir, name+".yaml")
	if err := os.WriteFile(file, encode(t, c), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// givenPorts are those that freeAddress has handed out.
var givenPorts sync.Map

// freeAddress is an address of this machine that was free a moment ago. Its port lies below those that the system gives to
// connections, or one of these could take it before the program does.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := 10_000 + rand.IntN(20_000)
		if _, given := givenPorts.LoadOrStore(port, true); given {
			continue
		}
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			_ = l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// shortWindows are times with which an outcome that nobody knows is settled within seconds.
func shortWindows() (recovery, limits jsonObject) {
	return jsonObject{"interval": "100ms", "send_margin": "2s", "final_margin": "500ms", "decision_after": "1h", "searches_per_second": 1000},
		jsonObject{"linepay": jsonObject{"max_duration": "5s", "landing_max": "2s", "search_lag_max": "500ms"}}
}

// neutralOrder is a payment of LINE Pay in neutral terms.
func (p *platform) neutralOrder(order string, amount int) jsonObject {
	p.t.Helper()
	return jsonObject{
		"type": "LINE_QRCODE_PAY", "store_id": p.StoreID, "is_test": true, "order_number": order,
		"amount": jsonObject{"amount": amount, "currency": "TWD"}, "source": jsonObject{"code": p.code("linepay")}, "description": "拿鐵",
	}
}

// lineFault arms a fault of LINE Pay's sandbox.
func (p *platform) lineFault(fault, operation, order string, delay time.Duration, times int) {
	p.t.Helper()
	p.control(http.MethodPost, "faults", jsonObject{
		"provider": "linepay", "operation": operation, "order_id": order, "fault": fault, "delay_ms": delay.Milliseconds(), "times": times,
	})
}

// comeBack reports whether an answer asks the client to send the same request again.
func comeBack(a answer) bool {
	switch a.status {
	case http.StatusAccepted, http.StatusGatewayTimeout, http.StatusServiceUnavailable:
		return true
	case http.StatusConflict:
		return slices.Contains([]string{"request_in_progress", "order_in_progress", "operation_open"}, a.member("code"))
	}
	return false
}

// insist sends a request until its answer is final, to a process that lives, with a pause between the tries.
func (f fleet) insist(path, key string, body []byte) (answer, error) {
	var a answer
	var err error
	for end, i := time.Now().Add(5*patience), rand.IntN(len(f)); time.Now().Before(end); i++ {
		p := f[i%len(f)]
		if !p.ended() {
			a, err = p.send(http.MethodPost, p.HTTPURL+path, body, "Idempotency-Key", key)
			if err == nil && !comeBack(a) {
				return a, nil
			}
		}
		time.Sleep(100*time.Millisecond + rand.N(300*time.Millisecond))
	}
	return a, fmt.Errorf("no final answer to %s: %s, %v", key, a, err) //nolint:errorlint // told, never compared
}
