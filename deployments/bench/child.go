package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/payrack/payrack/deployments/bench/naive"
	"github.com/payrack/payrack/deployments/bench/stub"
)

// The processes that the benchmark starts of its own binary, so that each one's CPU time is its own.
const (
	roleStub  = "stub"
	roleNaive = "naive"
)

const (
	readHeaderTimeout = 5 * time.Second
	startTimeout      = 60 * time.Second
	stopTimeout       = 90 * time.Second
)

// ready is the line that a child prints when it serves.
type ready struct {
	URL string `json:"url"`
}

// serveStub plays the gateway until its standard input ends.
func serveStub(ctx context.Context, in io.Reader, out io.Writer) error {
	return serve(ctx, &stub.Gateway{}, in, out)
}

// serveNaive runs the rival with the options in the first line of its standard input, until that ends.
func serveNaive(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read options: %w", err)
	}
	var o naive.Options
	if err := json.Unmarshal(line, &o); err != nil {
		return fmt.Errorf("read options: %w", err)
	}
	service, err := naive.New(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(serve(ctx, service, lines, out), service.Close())
}

// serve answers on a free port until the input ends, which is when the benchmark stops or dies.
func serve(ctx context.Context, handler http.Handler, in io.Reader, out io.Writer) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: readHeaderTimeout}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		_ = server.Close()
	}()
	line, err := json.Marshal(ready{URL: "http://" + listener.Addr().String()})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s\n", line); err != nil {
		return err
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// child is a running process of the benchmark.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	url   string
}

// startChild starts this binary in a role, hands it its options, and waits until it serves.
func startChild(ctx context.Context, role string, options any) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, role) //nolint:gosec // our own binary in one of two roles
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	c := &child{cmd: cmd, stdin: stdin}
	err = c.handshake(stdout, options)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", role, err), c.stop())
	}
	return c, nil
}

func (c *child) handshake(stdout io.Reader, options any) error {
	if options != nil {
		if err := json.NewEncoder(c.stdin).Encode(options); err != nil {
			return err
		}
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		return err
	}
	var r ready
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	c.url = r.URL
	return nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop ends the child by closing its input and waits for it.
func (c *child) stop() error {
	_ = c.stdin.Close()
	return c.cmd.Wait()
}
