package main_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	chaos "github.com/payrack/payrack/deployments/chaos"
)

// echo answers every line with the same line.
func echo(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c) }()
		}
	}()
	return l.Addr().String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestProxyPassesStallsAndCuts(t *testing.T) {
	t.Parallel()
	p, err := chaos.NewProxy(context.WithoutCancel(t.Context()), echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	c := dial(t, p.Addr())
	answers := bufio.NewReader(c)
	say := func(text string) {
		if _, err := io.WriteString(c, text+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	say("one")
	if got, err := answers.ReadString('\n'); got != "one\n" || err != nil {
		t.Fatalf("passing: %q, %v", got, err)
	}

	p.Stall()
	say("two")
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if got, err := answers.ReadString('\n'); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("stalled: %q, %v", got, err)
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	p.Pass()
	if got, err := answers.ReadString('\n'); got != "two\n" || err != nil {
		t.Fatalf("what was swallowed is not lost: %q, %v", got, err)
	}

	p.Cut()
	if got, err := answers.ReadString('\n'); err == nil {
		t.Fatalf("cut: %q", got)
	}
	late := dial(t, p.Addr()) // the listener takes it, and closes it
	if got, err := bufio.NewReader(late).ReadString('\n'); err == nil {
		t.Fatalf("cut, a new connection: %q", got)
	}
}

func TestProxyFilterSeesBothWays(t *testing.T) {
	t.Parallel()
	p, err := chaos.NewProxy(context.WithoutCancel(t.Context()), echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	p.Watch(func(_ int, up bool, chunk []byte) []byte {
		if up {
			return chunk
		}
		return []byte("changed\n")
	})
	c := dial(t, p.Addr())
	if _, err := io.WriteString(c, "text\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(c).ReadString('\n'); got != "changed\n" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
}
