package main_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	bench "github.com/payrack/payrack/deployments/bench"
	"github.com/payrack/payrack/deployments/bench/measure"
	"github.com/payrack/payrack/deployments/bench/naive"
	"github.com/payrack/payrack/deployments/bench/stub"
)

// twiceEnv makes the stand-in send every payment twice.
const twiceEnv = "BENCH_TEST_PAYS_TWICE"

// TestMain lets the test binary play the processes that the benchmark starts: its own roles, and payrack itself, played
// by the rival behind payrack's command line.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case bench.RoleStub, bench.RoleNaive:
			exit(bench.Command(context.Background(), os.Args[1:]))
		case "dev":
			exit(standIn(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// standIn is `payrack dev` as far as the benchmark uses it.
func standIn(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	value := func(flag string) string {
		for i := range len(args) - 1 {
			if args[i] == flag {
				return args[i+1]
			}
		}
		return ""
	}
	data, gateway := value("--data"), strings.TrimPrefix(value("--gateway"), "linepay=")
	if os.Getenv("PAYRACK_LIMITS__BURST") == "" || !strings.HasPrefix(gateway, "http://") {
		return errors.New("started with other flags or limits than expected")
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES256"}}}
	pay, err := naive.New(ctx, naive.Options{Database: filepath.Join(data, "p.db"), GatewayURL: gateway, StoreID: "s1", Keys: keys})
	if err != nil {
		return err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k1"))
	if err != nil {
		return err
	}
	token, err := jwt.Signed(signer).
		Claims(jwt.Claims{Audience: jwt.Audience{"payrack"}, Expiry: jwt.NewNumericDate(time.Now().Add(time.Hour))}).
		Claims(map[string]any{"company": "c1", "scope": "pay"}).Serialize()
	if err != nil {
		return err
	}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/v1/token", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"access_token":%q}`, token)
	})
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(keys) })
	mux.HandleFunc("POST /v1/payment/integrate/pay", func(w http.ResponseWriter, r *http.Request) {
		if os.Getenv(twiceEnv) != "" {
			again, err := http.Post(gateway+stub.PayPath, "application/json", strings.NewReader(`{"orderId":"again","amount":1}`))
			if err == nil {
				_ = again.Body.Close()
			}
		}
		pay.ServeHTTP(w, r)
	})
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	dev, err := json.Marshal(map[string]any{
		"http_url": url, "token_url": url + "/oauth/v1/token", "client_id": "c", "client_secret": "s", "store_id": "s1",
		"pid": os.Getpid(), "linepay": map[string]string{"channel_id": "1234567890", "channel_secret": "x"},
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(data, "new"), dev, 0o600); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(data, "new"), filepath.Join(data, "dev.json")); err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return pay.Close()
}

// flags of a short run in which the test binary plays payrack.
func flags(t *testing.T, more ...string) (args []string, out string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("processes are measured on Linux only")
	}
	data := t.TempDir()
	if err := measure.OnDisk(data); err != nil {
		t.Skip("the temporary folder is in memory, where the benchmark refuses to run")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out = t.TempDir()
	return append([]string{"-payrack", self, "-data", data, "-out", out, "-rounds", "2", "-seconds", "0.1", "-clients", "4", "-delay", "2ms"}, more...), out
}

func TestARunComparesAllTargetsAndWritesTheResult(t *testing.T) {
	t.Parallel()
	args, out := flags(t)
	if err := bench.Command(t.Context(), args); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(out, "latest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Bars []struct {
			Name  string         `json:"name"`
			Ratio measure.Spread `json:"ratio"`
		} `json:"bars"`
		Comparisons []struct {
			Clients int `json:"clients"`
			Targets []struct {
				Name     string         `json:"name"`
				Payments int            `json:"payments"`
				P50      measure.Spread `json:"p50_us"`
			} `json:"targets"`
		} `json:"comparisons"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Bars) != 3 || len(got.Comparisons) != 3 {
		t.Fatalf("%d bars and %d comparisons, want 3 of each", len(got.Bars), len(got.Comparisons))
	}
	for _, b := range got.Bars {
		if b.Ratio.Min <= 0 || b.Ratio.Min > b.Ratio.Median || b.Ratio.Median > b.Ratio.Max {
			t.Errorf("%s: %+v", b.Name, b.Ratio)
		}
	}
	for _, c := range got.Comparisons {
		for _, target := range c.Targets {
			if target.Payments == 0 || target.P50.Median <= 0 {
				t.Errorf("%d clients, %s: %+v", c.Clients, target.Name, target)
			}
		}
	}
	// The gateway's 2 ms are in every single payment of the second comparison.
	for _, target := range got.Comparisons[1].Targets {
		if target.P50.Min < 2000 {
			t.Errorf("%s took %v µs at a gateway that takes 2000", target.Name, target.P50.Min)
		}
	}
	table, err := os.ReadFile(filepath.Join(out, "latest.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(table), "| payrack |") || !strings.Contains(string(table), "| naive |") {
		t.Errorf("table:\n%s", table)
	}
}

func TestEnforceTellsThatABarWasMissed(t *testing.T) {
	t.Parallel()
	// The rival against itself is not three times as fast.
	args, _ := flags(t, "-enforce")
	if err := bench.Command(t.Context(), args); !errors.Is(err, bench.ErrMissed) {
		t.Errorf("got %v, want %v", err, bench.ErrMissed)
	}
}

func TestWrongFlagsAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-rounds", "0"}, {"-nothing"}, {"more"}, {"-seconds", "-1"}} {
		if err := bench.Command(t.Context(), args); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}

func TestAPaymentSentTwiceSpoilsTheRun(t *testing.T) {
	t.Setenv(twiceEnv, "1")
	args, _ := flags(t)
	if err := bench.Command(t.Context(), args); err == nil || !strings.Contains(err.Error(), "arrived at the gateway") {
		t.Errorf("got %v, want the gateway's count to be questioned", err)
	}
}
