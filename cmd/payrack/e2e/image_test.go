package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// image is a folder with the files that the Containerfile puts into an image, run as an engine runs it: its own root, its own
// process ids with payrack as the first, /proc, /dev/null, the image's user.
type image struct {
	t                     *testing.T
	root, user, directory string
	program, command      []string
	env                   []string
}

// newImage follows the last stage of the Containerfile.
func newImage(t *testing.T) *image {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may change the root folder")
	}
	if out, err := exec.CommandContext(t.Context(), "unshare", "-mpf", "--mount-proc", "true").CombinedOutput(); err != nil {
		t.Skipf("this machine makes no namespaces: %v %s", err, out)
	}
	b, err := built()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../../deployments/container/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, final, found := strings.Cut(string(text), "FROM scratch\n")
	if !found {
		t.Fatal("the Containerfile has no stage from scratch")
	}
	root, err := os.MkdirTemp("", "image-") //nolint:usetesting // the folders above t.TempDir are closed to the image's user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	i := &image{t: t, root: root}
	for line := range strings.Lines(final) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] == "#" {
			continue
		}
		switch words[0] {
		case "COPY":
			i.copy(b, words[1:])
		case "USER":
			i.user = words[1]
		case "WORKDIR":
			i.directory = words[1]
		case "ENV":
			i.env = words[1:]
		case "ENTRYPOINT", "CMD":
			list := &i.program
			if words[0] == "CMD" {
				list = &i.command
			}
			if err := json.Unmarshal([]byte(strings.TrimPrefix(line, words[0])), list); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
	}
	// What every engine brings.
	for _, dir := range []string{"proc", "dev"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	null := filepath.Join(root, "dev", "null")
	if err := syscall.Mknod(null, syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
		t.Skipf("this machine makes no devices: %v", err)
	}
	if err := os.Chmod(null, 0o666); err != nil {
		t.Fatal(err)
	}
	return i
}

// copy follows one COPY. The binaries are those under test; of the stage with the certificates there are an empty folder and
// the certificates of this machine.
func (i *image) copy(b binaries, words []string) {
	i.t.Helper()
	flags := map[string]string{}
	for strings.HasPrefix(words[0], "--") {
		name, value, _ := strings.Cut(words[0], "=")
		flags[name], words = value, words[1:]
	}
	from, to := words[0], filepath.Join(i.root, words[1])
	switch {
	case from == "bin/payrack":
		from = b.payrack
	case from == "bin/plugins":
		from = b.plugins
	case from == "/mnt":
		from = i.t.TempDir()
	case flags["--from"] == "":
		from = filepath.Join("../../..", from)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		i.t.Fatal(err)
	}
	if _, err := os.Stat(from); err != nil && strings.HasPrefix(from, "/etc/ssl/") {
		i.t.Skipf("this machine has no certificates: %v", err) // any other file has to be there
	}
	if out, err := exec.Command("cp", "-rT", from, to).CombinedOutput(); err != nil {
		i.t.Fatalf("cp %s: %v\n%s", from, err, out)
	}
	if owner := flags["--chown"]; owner != "" {
		if out, err := exec.Command("chown", "-R", owner, to).CombinedOutput(); err != nil {
			i.t.Fatalf("chown %s: %v\n%s", to, err, out)
		}
	}
}

// run prepares the image's program with arguments.
func (i *image) run(output *lockedBuffer, env []string, args ...string) *exec.Cmd {
	i.t.Helper()
	user, group, _ := strings.Cut(i.user, ":")
	words := slices.Concat([]string{
		"-mpf", "--kill-child", "--root=" + i.root, "--mount-proc", "--setuid", user, "--setgid", group, "--wd", i.directory,
	}, i.program, args)
	cmd := exec.CommandContext(i.t.Context(), "unshare", words...)
	cmd.Env, cmd.Stdout, cmd.Stderr = slices.Concat(i.env, env), output, output
	return cmd
}

// The image's files are enough, for its user: plugins start and payments are made.
func TestImagePays(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	output := &lockedBuffer{}
	if err := i.run(output, nil, "demo", "--plugins", "/usr/local/lib/payrack/plugins").Run(); err != nil {
		t.Fatalf("payrack demo in the image: %v\n%s", err, output)
	}
}

// The image starts with its own configuration and command on empty volumes, and ends by its stop signal.
func TestImageServesAndStops(t *testing.T) {
	t.Parallel()
	i := newImage(t)
	public := freeAddress(t)
	env := []string{
		"PAYRACK_ENVIRONMENT=test", // the binaries under test are not signed
		"PAYRACK_PLUGINS__SIGNING_KEYS=", "PAYRACK_HTTP__ADDR=" + public, "PAYRACK_ADMIN__ADDR=" + freeAddress(t), "PAYRACK_SHUTDOWN__DRAIN_DELAY=0s",
	}
	output := &lockedBuffer{}
	if err := i.run(output, env, "init", "--company-id", "shop").Run(); err != nil {
		t.Fatalf("payrack init in the image: %v\n%s", err, output)
	}
	engine := i.run(output, env, i.command...)
	if err := engine.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- engine.Wait() }()
	client := newClient()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if reply, err := client.Get("http://" + public + "/readyz"); err == nil {
			_ = reply.Body.Close()
			if reply.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the image does not get ready:\n%s", output)
		}
	}
	first, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", engine.Process.Pid, engine.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(first)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-exited; err != nil || !strings.Contains(output.String(), `"msg":"stopped"`) {
		t.Errorf("it ended with %v:\n%s", err, output)
	}
}
