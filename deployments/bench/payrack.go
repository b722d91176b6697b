package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/payrack/payrack/deployments/bench/measure"
)

// pollInterval is how often the start of payrack is looked for.
const pollInterval = 50 * time.Millisecond

// noLimits lifts the limit of requests for one client, which the load would meet otherwise: it is there to stop one
// client from starving the others.
var noLimits = []string{
	"PAYRACK_LIMITS__REQUESTS_PER_SECOND=1000000",
	"PAYRACK_LIMITS__BURST=1000000",
}

// installation is what `payrack dev` writes to dev.json, as far as the benchmark reads it.
type installation struct {
	HTTPURL      string `json:"http_url"`
	TokenURL     string `json:"token_url"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	StoreID      string `json:"store_id"`
	PID          int    `json:"pid"`
	LinePay      struct {
		ChannelID     string `json:"channel_id"`
		ChannelSecret string `json:"channel_secret"`
	} `json:"linepay"`
}

// platform is a running `payrack dev`.
type platform struct {
	installation

	cmd   *exec.Cmd
	ended chan error
	log   string
	token string
	keys  json.RawMessage
}

// startPayrack runs the platform on free ports with its LINE Pay plugin pointed at the gateway, and gets a token.
func startPayrack(ctx context.Context, s settings, dir, gateway string) (*platform, error) {
	data := filepath.Join(dir, "payrack")
	p := &platform{ended: make(chan error, 1), log: filepath.Join(dir, "payrack.log")}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	//nolint:gosec // the binary and folders that the caller of the benchmark named
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), s.payrack, "dev", "--data", data, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0",
		"--sandbox", "127.0.0.1:0", "--plugins", s.plugins, "--gateway", "linepay="+gateway)
	p.cmd.Env = append(os.Environ(), noLimits...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	// A Ctrl-C at the terminal reaches the benchmark only, which then stops the platform in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start payrack (make build plugins): %w", err)
	}
	go func() { p.ended <- p.cmd.Wait() }()

	err = p.await(ctx, filepath.Join(data, "dev.json"))
	if err == nil {
		err = p.authorize(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// await reads dev.json as soon as it is there; it is written in one rename when everything serves.
func (p *platform) await(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		raw, err := os.ReadFile(path) //nolint:gosec // below the benchmark's own folder
		if err == nil {
			return json.Unmarshal(raw, &p.installation)
		}
		select {
		case err := <-p.ended:
			p.ended <- err
			return fmt.Errorf("payrack ended before it served: %w\n%s", err, tail(p.log))
		case <-ctx.Done():
			return fmt.Errorf("payrack did not serve within %s\n%s", startTimeout, tail(p.log))
		case <-time.After(pollInterval):
		}
	}
}

// authorize gets a token, and the keys with which the rival verifies it.
func (p *platform) authorize(ctx context.Context) error {
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {"pay"},
		"client_id": {p.ClientID}, "client_secret": {p.ClientSecret},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	raw, err := answer(req)
	if err != nil {
		return fmt.Errorf("get a token: %w", err)
	}
	var t struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(raw, &t); err != nil {
		return fmt.Errorf("get a token: %w", err)
	}
	p.token = t.AccessToken

	req, err = http.NewRequestWithContext(ctx, http.MethodGet, p.HTTPURL+"/.well-known/jwks.json", http.NoBody)
	if err != nil {
		return err
	}
	if p.keys, err = answer(req); err != nil {
		return fmt.Errorf("get the keys: %w", err)
	}
	return nil
}

// processes are the core and everything that it started, by name.
func (p *platform) processes() (map[string]int, error) {
	children, err := measure.Children(p.PID)
	if err != nil {
		return nil, err
	}
	all := map[string]int{"payrack": p.PID}
	for pid, name := range children {
		all[name] = pid
	}
	return all, nil
}

// stop asks the platform to end and waits for it. An exit code other than 0 is an error.
func (p *platform) stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-p.ended:
		if err != nil {
			return fmt.Errorf("payrack ended with %w\n%s", err, tail(p.log))
		}
		return nil
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("payrack did not end within %s", stopTimeout), p.cmd.Process.Kill(), <-p.ended)
	}
}

// answer is the body of a reply with status 200.
func answer(req *http.Request) ([]byte, error) {
	client := http.Client{Timeout: startTimeout}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, raw)
	}
	return raw, err
}

// tail is the end of a log, for an error that must be understood without it.
func tail(path string) string {
	const most = 2000
	raw, err := os.ReadFile(path) //nolint:gosec // below the benchmark's own folder
	if err != nil {
		return ""
	}
	return string(raw[max(0, len(raw)-most):])
}
