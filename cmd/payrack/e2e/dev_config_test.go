package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDevConfig gives `payrack dev` files that it must not start with: it says why and ends with 3.
func TestDevConfig(t *testing.T) {
	t.Parallel()
	b, err := built()
	if err != nil {
		t.Fatal(err)
	}
	for want, content := range map[string]string{
		"dev is for tests only":  "environment: production\nhttp: {public_url: https://pay.example.com}\n",
		"recovery.no_such_key":   "recovery: {no_such_key: 1s}\n",
		"recovery.final_margin":  "recovery: {final_margin: 1ms}\n",
		"plugins.settings.ipass": "plugins: {settings: {ipass: [1]}}\n",
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "payrack.yaml")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), b.payrack, "dev", "--data", filepath.Join(dir, "data"), "--config", file,
			"--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--sandbox", "127.0.0.1:0", "--plugins", b.plugins)
		out, _ := cmd.CombinedOutput() // its exit code is what counts
		if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(string(out), want) {
			t.Errorf("%s: ended with %d: %s", want, code, out)
		}
	}
}
