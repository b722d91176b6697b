package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/dialects"
)

// sandboxState names a sandbox that runs as its own process.
const sandboxState = "sandbox.json"

// sandboxPatience is how long a sandbox may take to start or to stop.
const sandboxPatience = 10 * time.Second

func (c *cli) sandboxCommand() *cobra.Command {
	var data, addr string
	var bounds sandboxBounds
	var log logFlags
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Play the payment providers on a real HTTP server",
		Long: "Play the payment providers on a real HTTP server, with a ledger file that survives a restart.\n" +
			"It holds no real money and authenticates nobody under /_sandbox/: bind it to a local address.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := log.logger(c.errOut)
			if err != nil {
				return err
			}
			return c.runSandbox(cmd.Context(), data, addr, bounds, logger)
		},
	}
	cmd.Flags().StringVar(&data, "data", "./payrack-data/sandbox", "folder of the ledger and the state")
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8082", "address to listen on; port 0 takes a free one")
	cmd.Flags().DurationVar(&bounds.landing, "landing-max", 0, "the longest that the fault delay keeps a request from landing (default: as long as it says)")
	cmd.Flags().DurationVar(&bounds.lag, "search-lag-max", 0, "the longest that the fault search_lag hides what landed (default: as long as it says)")
	log.add(cmd, "info")
	return cmd
}

// sandboxBounds keep the sandbox within what a run promises of its providers; zero is no bound.
type sandboxBounds struct{ landing, lag time.Duration }

func (c *cli) runSandbox(ctx context.Context, dir, addr string, bounds sandboxBounds, log *slog.Logger) error {
	box, err := openSandbox(ctx, dir, addr, bounds, log)
	if err != nil {
		return err
	}
	life, err := lifeOf(os.Getpid())
	if err != nil {
		return errors.Join(err, box.close(ctx))
	}
	state, err := json.Marshal(sandboxProcess{process: life, URL: box.url})
	if err != nil {
		return errors.Join(fmt.Errorf("describe the sandbox: %w", err), box.close(ctx))
	}
	path := filepath.Join(dir, sandboxState)
	if err := replaceFile(path, append(state, '\n')); err != nil {
		return errors.Join(err, box.close(ctx))
	}
	c.say("the sandbox plays at %s, its controls are under %s/_sandbox/", box.url, box.url)
	<-ctx.Done()
	return errors.Join(removeFile(path), box.close(context.WithoutCancel(ctx)))
}

// playground is a sandbox that serves inside this process.
type playground struct {
	url    string
	server *sandbox.Server
	http   *http.Server
	ended  chan error
}

// openSandbox starts to serve.
func openSandbox(ctx context.Context, dir, addr string, bounds sandboxBounds, log *slog.Logger) (*playground, error) {
	server, err := sandbox.New(sandbox.Options{
		Dir: dir, Dialects: dialects.All(), Log: log, LandingMax: bounds.landing, SearchLagMax: bounds.lag,
	})
	if err != nil {
		return nil, fmt.Errorf("open the sandbox: %w", err)
	}
	listener, err := listen(ctx, "sandbox", addr)
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	p := &playground{
		url:    "http://" + listener.Addr().String(),
		server: server,
		http: &http.Server{
			Handler: server.Handler(), ReadHeaderTimeout: 5 * time.Second,
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
		ended: make(chan error, 1),
	}
	go func() { p.ended <- p.http.Serve(listener) }()
	return p, nil
}

// close lets requests in flight finish for a moment and makes the ledger durable.
func (p *playground) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	// A held connection is a fault that a test asked for; it must not hold up the end.
	if err := p.http.Shutdown(ctx); err != nil {
		_ = p.http.Close()
	}
	err := <-p.ended
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	if err := errors.Join(err, p.server.Close()); err != nil {
		return fmt.Errorf("close the sandbox: %w", err)
	}
	return nil
}

// sandboxProcess is a sandbox that runs by itself.
type sandboxProcess struct {
	process

	URL string `json:"url"`
}

// findSandbox returns the sandbox that an earlier dev left running on the folder.
func findSandbox(ctx context.Context, dir string) (sandboxProcess, bool) {
	data, err := os.ReadFile(filepath.Join(dir, sandboxState)) //nolint:gosec // the operator names the folder
	if err != nil {
		return sandboxProcess{}, false
	}
	var found sandboxProcess
	if err := json.Unmarshal(data, &found); err != nil || !found.alive() {
		return sandboxProcess{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	answer, err := (&caller{base: found.URL}).send(ctx, call{method: http.MethodGet, path: "/_sandbox/healthz"})
	return found, err == nil && answer.status == http.StatusOK
}

// startSandbox starts a sandbox that survives this process, or finds the one that does.
func startSandbox(ctx context.Context, dir, addr string) (sandboxProcess, error) {
	if found, ok := findSandbox(ctx, dir); ok {
		return found, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return sandboxProcess{}, fmt.Errorf("make the folder of the sandbox: %w", err)
	}
	if err := removeFile(filepath.Join(dir, sandboxState)); err != nil {
		return sandboxProcess{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return sandboxProcess{}, fmt.Errorf("find this program: %w", err)
	}
	logPath := filepath.Join(dir, "sandbox.log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // the operator names the folder
	if err != nil {
		return sandboxProcess{}, fmt.Errorf("open the log of the sandbox: %w", err)
	}
	defer func() { _ = log.Close() }() // the child has its own
	// Not CommandContext: it shall survive us.
	child := exec.Command(self, "sandbox", "--data", dir, "--addr", addr) //nolint:gosec,noctx // ourselves, and it outlives the context
	child.Stdout, child.Stderr = log, log
	// A group of its own, so that Ctrl-C on the terminal reaches us alone.
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := child.Start(); err != nil {
		return sandboxProcess{}, fmt.Errorf("start the sandbox: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	timeout := time.NewTimer(sandboxPatience)
	defer timeout.Stop()
	for {
		if found, ok := findSandbox(ctx, dir); ok {
			return found, nil
		}
		select {
		case err := <-ended:
			return sandboxProcess{}, fmt.Errorf("the sandbox ended at once (%w); %s says why", err, logPath)
		case <-timeout.C:
			_ = child.Process.Kill()
			return sandboxProcess{}, fmt.Errorf("the sandbox does not answer after %s; %s may say why", sandboxPatience, logPath)
		case <-ctx.Done():
			_ = child.Process.Kill()
			return sandboxProcess{}, fmt.Errorf("start the sandbox: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// listen opens an address and says which one it was if it cannot.
func listen(ctx context.Context, what, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, refusedf("the address %s of the %s is taken: stop what uses it, or choose another (port 0 takes a free one)", addr, what)
	}
	if err != nil {
		return nil, fmt.Errorf("listen at %s for the %s: %w", addr, what, err)
	}
	return l, nil
}
