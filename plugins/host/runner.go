package host

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/payrack/payrack/plugins/internal/handshake"
)

// maxHandshake bounds the first line on standard output; with the certificate it has about a kilobyte.
const maxHandshake = 8 << 10

// pipeGrace is how long the pipes of an ended process are still read: what it wrote last is there already,
// and a process that inherited them must not keep us.
const pipeGrace = 200 * time.Millisecond

// pluginRunner is go-plugin's runner.Runner over a process. It reads the handshake line itself, bounded in
// size and time, and shows go-plugin that line only; go-plugin never sees a log line.
type pluginRunner struct {
	command command
	socket  string // directory of the plugin's socket
	log     *pluginLog
	// order is the context of the order to start: its end gives the start up.
	order   context.Context //nolint:containedctx // go-plugin's Start has a context of its own making
	logging context.Context //nolint:containedctx // for log records, which outlive the order

	process *process
	words   tail // the end of standard error
	line    string
	drained chan struct{} // closed when both pipes were read to their end
}

// Start starts the process and waits for its handshake.
func (r *pluginRunner) Start(ctx context.Context) error {
	p, err := startProcess(r.order, r.command) //nolint:contextcheck // go-plugin's context knows nothing of the order
	if err != nil {
		return refuse(CodeStartCrashed, "the plugin's process cannot be started: %v", err)
	}
	r.process = p
	r.drained = make(chan struct{})
	stdout := bufio.NewReaderSize(p.stdout, maxHandshake)
	lines := make(chan lineResult, 1)
	stderrDone := make(chan struct{})
	go func() {
		defer close(stderrDone)
		r.log.consume(r.logging, io.TeeReader(p.stderr, &r.words))
	}()
	go func() {
		defer close(r.drained)
		line, err := stdout.ReadSlice('\n')
		lines <- lineResult{string(line), err}
		r.log.consume(r.logging, stdout) // whatever else appears there
		<-stderrDone
	}()
	go func() {
		<-p.exited
		select {
		case <-r.drained:
		case <-time.After(pipeGrace):
		}
		_ = p.stdout.Close()
		_ = p.stderr.Close()
	}()
	if err := r.await(ctx, lines); err != nil {
		p.kill()
		return err
	}
	return nil
}

type lineResult struct {
	text string
	err  error
}

func (r *pluginRunner) await(ctx context.Context, lines <-chan lineResult) error {
	var got lineResult
	select {
	case got = <-lines:
	case <-ctx.Done():
		return refuse(CodeStartTimeout, "the plugin did not say that it serves in time; start it with %s to see whether it runs at all", handshake.InfoFlag)
	case <-r.order.Done():
		return &Refused{Code: CodeStartTimeout, Message: "the start was given up", cause: r.order.Err()}
	}
	switch {
	case errors.Is(got.err, bufio.ErrBufferFull):
		return refuse(CodeProtocolUnsupported, "the plugin's first line is too long: it is no payrack plugin, or it prints before it serves")
	case got.err != nil:
		select { // the pipe can end a moment before the exit is known
		case <-r.process.exited:
		case <-time.After(pipeGrace):
		}
		return refuse(CodeStartCrashed, "the plugin ended before it served: %s%s", r.process.ending(), r.lastWords())
	}
	r.line = strings.TrimRight(got.text, "\r\n")
	return r.check(r.line)
}

// lastWords quotes the crash report's first line, or else the last line of standard error.
func (r *pluginRunner) lastWords() string {
	select {
	case <-r.drained:
	case <-time.After(pipeGrace):
	}
	if first, _, _ := strings.Cut(r.log.crashReport(), "\n"); first != "" {
		return ": " + first
	}
	if last := r.words.last(); last != "" {
		return ": " + last
	}
	return "; it wrote nothing"
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	end []byte
}

// maxTail bounds what is kept of standard error.
const maxTail = 1 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, p[max(0, len(p)-maxTail):]...)
	t.end = append(t.end[:0], t.end[max(0, len(t.end)-maxTail):]...)
	return len(p), nil
}

// last is the last line, for people.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := bytes.TrimSpace(t.end)
	text = text[bytes.LastIndexByte(text, '\n')+1:]
	var record struct {
		Message string `json:"msg"`
		Error   string `json:"error"`
	}
	if len(text) > 0 && json.Unmarshal(text, &record) == nil && record.Message != "" {
		text = []byte(strings.TrimSuffix(record.Message+": "+record.Error, ": "))
	}
	return fmt.Sprintf("%.400s", printable(text))
}

// check reads `1|1|unix|/path|grpc|CERTIFICATE` before go-plugin does, to name what is wrong and to pin
// the socket to the directory that is the plugin's own.
func (r *pluginRunner) check(line string) error {
	part := strings.Split(line, "|")
	switch {
	case len(part) < 6 || part[0] != "1":
		return refuse(CodeProtocolUnsupported, "the plugin's first line is no handshake: it is no payrack plugin, or it prints before it serves")
	case part[1] != strconv.Itoa(handshake.Protocol):
		return refuse(CodeProtocolUnsupported, "the plugin speaks contract version %.20q and this host speaks version %d; install a release for this host", part[1], handshake.Protocol)
	case part[4] != "grpc" || part[5] == "":
		return refuse(CodeProtocolUnsupported, "the plugin does not offer gRPC with mutual TLS; rebuild it with the current SDK")
	case part[2] != "unix" || filepath.Dir(part[3]) != r.socket:
		return refuse(CodeProtocolUnsupported, "the plugin's socket is not in the directory that it was given")
	}
	info, err := os.Lstat(part[3])
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return refuse(CodeProtocolUnsupported, "the plugin's socket is not in the directory that it was given")
	}
	return nil
}

// Wait implements runner.Runner.
func (r *pluginRunner) Wait(ctx context.Context) error {
	select {
	case <-r.process.exited:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill implements runner.Runner.
func (r *pluginRunner) Kill(context.Context) error {
	r.process.kill()
	return nil
}

// Stdout shows go-plugin the handshake line, and its end when the process has ended.
func (r *pluginRunner) Stdout() io.ReadCloser {
	return &quietPipe{text: strings.NewReader(r.line + "\n"), end: r.process.exited}
}

// Stderr shows go-plugin nothing: its parser panics on lines that are not its own.
func (r *pluginRunner) Stderr() io.ReadCloser {
	return &quietPipe{text: strings.NewReader(""), end: r.process.exited}
}

// Name implements runner.Runner.
func (r *pluginRunner) Name() string { return r.command.name }

// ID implements runner.Runner.
func (r *pluginRunner) ID() string { return strconv.Itoa(r.process.pid) }

// Diagnose implements runner.Runner.
func (*pluginRunner) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner; check has seen the address.
func (*pluginRunner) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements runner.Runner.
func (*pluginRunner) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// quietPipe gives a text and then blocks until the process has ended.
type quietPipe struct {
	text *strings.Reader
	end  <-chan struct{}
}

func (q *quietPipe) Read(p []byte) (int, error) {
	if q.text.Len() > 0 {
		return q.text.Read(p)
	}
	<-q.end
	return 0, io.EOF
}

func (*quietPipe) Close() error { return nil }

// environment is everything that a plugin sees of the host's environment.
func environment(fromGoPlugin, further []string, tmp, level string) []string {
	env := append([]string{}, fromGoPlugin...)
	for _, name := range []string{"TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	env = append(env, "TMPDIR="+tmp, "PAYRACK_LOG_LEVEL="+level)
	return append(env, further...)
}

// workDir makes the empty directory in which a plugin runs.
func workDir(parent string) (string, error) {
	dir := filepath.Join(parent, "w")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", fmt.Errorf("work directory: %w", err)
	}
	return dir, nil
}
