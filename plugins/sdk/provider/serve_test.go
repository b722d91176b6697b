package provider_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// TestMain plays the plugin when it is started as one.
func TestMain(m *testing.M) {
	if os.Getenv("PAYRACK_TEST_PLUGIN") != "" {
		provider.Serve("fake", func(_ context.Context, c config, _ provider.Host) (provider.Provider, error) {
			_, _ = os.Stdout.WriteString("printed by open\n") // must not reach the handshake
			return &fake{config: c}, nil
		})
	}
	os.Exit(m.Run())
}

func pluginProcess(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = append(os.Environ(), append(env, "PAYRACK_TEST_PLUGIN=1")...)
	return cmd
}

func TestStartedByHand(t *testing.T) {
	t.Parallel()
	cmd := pluginProcess(t, nil)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil || cmd.ProcessState.ExitCode() != 1 || len(out) != 0 || !strings.Contains(stderr.String(), "started by payrack") ||
		strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("%v, stdout %q, stderr %q", err, out, stderr.String())
	}
}

func TestInfoFlag(t *testing.T) {
	t.Parallel()
	out, err := pluginProcess(t, nil, handshake.InfoFlag).Output()
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		Name  string `json:"name"`
		Types []struct {
			Name string `json:"name"`
		} `json:"types"`
	}
	if err := json.Unmarshal(out, &info); err != nil || info.Name != "fake" || len(info.Types) != 1 || info.Types[0].Name != "FAKE_PAY" {
		t.Errorf("%v: %s", err, out)
	}
}

// The plugin serves while its standard input is open, and ends with it.
func TestLifeline(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "prs") //nolint:usetesting // a socket path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cmd := pluginProcess(t, []string{
		handshake.CookieKey + "=" + handshake.CookieValue, "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR=" + dir,
	})
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var logs strings.Builder
	cmd.Stderr = &logs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "1|1|unix|"+dir+"/") {
		t.Fatalf("%v: first line %q", err, line)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	time.Sleep(50 * time.Millisecond)
	_ = lifeline.Close()
	_, _ = io.Copy(io.Discard, stdout)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end of the lifeline: %v", err)
	}
	if !strings.Contains(logs.String(), `"line":"printed by open"`) {
		t.Errorf("what Open prints is not in the log: %s", logs.String())
	}
}

func TestWatchParent(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	go provider.WatchParent(-1, time.Millisecond, func() { close(ended) })
	<-ended
	go provider.WatchParent(os.Getppid(), time.Millisecond, func() { t.Error("the parent is still there") })
	time.Sleep(20 * time.Millisecond)
}

// The SDK is linked into every plugin: a new dependency is seen in review.
func TestDependenciesAreListed(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./...")
	cmd.Dir = ".." // plugins/sdk
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("go list does not run here: %v", err)
	}
	got := strings.Fields(string(out))
	slices.Sort(got)
	text := strings.Join(got, "\n") + "\n"
	if os.Getenv("UPDATE_DEPS") != "" {
		if err := os.WriteFile("../deps.txt", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("../deps.txt")
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != text {
		t.Errorf("plugins/sdk/deps.txt is out of date; look at what was added and run UPDATE_DEPS=1 go test ./plugins/sdk/provider -run Dependencies\ngot:\n%s", text)
	}
}
