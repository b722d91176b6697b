package httpapi_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/adapters/inbound/httpapi"
)

// exchange writes bytes on one connection and reads answers until the server closes it, or until it has n.
func exchange(t *testing.T, address, request string, n int) (statuses []int, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for range n {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return statuses, true
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		statuses = append(statuses, res.StatusCode)
		closed = res.Close
	}
	return statuses, closed
}

// TestPipelining shows that the second request on a connection brings its own token or none.
func TestPipelining(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	body := `{"type":"DEMO_PAY","request":{}}`
	one := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", pay, len(body))
	statuses, _ := exchange(t, server(t, p), one+"Authorization: Bearer "+p.access.token(t, "till")+"\r\n\r\n"+body+one+"\r\n"+body, 2)
	if fmt.Sprint(statuses) != "[200 401]" {
		t.Errorf("got %v", statuses)
	}
}

// TestSmuggling shows that bytes behind a request with Content-Length and chunked never become a request.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	address, token := server(t, p), p.access.token(t, "till")
	body := `{"type":"DEMO_PAY","request":{}}`
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	smuggled := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", pay, token, len(body), body)
	for _, framing := range []string{"Transfer-Encoding: chunked\r\n", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"} {
		before := len(p.payments.asked())
		head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n%s\r\n", pay, token, framing)
		statuses, closed := exchange(t, address, head+chunked+smuggled, 2)
		if fmt.Sprint(statuses) != "[200]" || !closed {
			t.Errorf("%q: got %v, closed %v", framing, statuses, closed)
		}
		if asked := len(p.payments.asked()) - before; asked != 1 {
			t.Errorf("%q: the core was asked %d times", framing, asked)
		}
	}
}

func TestChunkedBodyIsBounded(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	chunk := strings.Repeat("x", 32<<10)
	request := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", pay, p.access.token(t, "till"))
	for range 3 {
		request += fmt.Sprintf("%x\r\n%s\r\n", len(chunk), chunk)
	}
	_, status, _, body := send(t, server(t, p), "POST", []byte(request+"0\r\n\r\n"))
	if status != http.StatusRequestEntityTooLarge || !bytes.Contains(body, []byte("body_too_large")) {
		t.Errorf("got %d %s", status, body)
	}
}

// TestCutBody shows that a body which ends early reaches nobody.
func TestCutBody(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	conn, err := net.Dial("tcp", server(t, p))
	if err != nil {
		t.Fatal(err)
	}
	body := `{"type":"DEMO_PAY","request":{}}`
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n%s", pay, p.access.token(t, "till"), body); err != nil {
		t.Fatal(err)
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		t.Fatal("not TCP")
	}
	if err := tcp.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if len(raw) > 0 && !bytes.Contains(raw, []byte("incomplete_body")) {
		t.Errorf("got %q", raw)
	}
	if len(p.payments.asked()) != 0 {
		t.Error("the core was asked")
	}
}

func TestServerLimits(t *testing.T) {
	t.Parallel()
	s := httpapi.NewServer(http.NotFoundHandler(), httpapi.ServerOptions{WriteTimeout: 70 * time.Second, Log: discard()})
	if s.ReadHeaderTimeout != 5*time.Second || s.ReadTimeout != 15*time.Second || s.WriteTimeout != 70*time.Second {
		t.Errorf("timeouts: %v %v %v", s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout)
	}
	if s.MaxHeaderBytes != 12<<10 {
		t.Errorf("MaxHeaderBytes %d: net/http adds 4 KiB, 16 KiB is the limit", s.MaxHeaderBytes)
	}
}

// TestHeaderLimit finds the real limit: a header of almost 16 KiB is read, one of more is not.
func TestHeaderLimit(t *testing.T) {
	t.Parallel()
	address := server(t, newPlane(t, nil))
	ask := func(size int) int {
		head := "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Fill: "
		_, status, _, _ := send(t, address, "GET", []byte(head+strings.Repeat("a", size-len(head)-4)+"\r\n\r\n"))
		return status
	}
	if got := ask(16<<10 - 64); got != 200 {
		t.Errorf("just below 16 KiB: got %d", got)
	}
	if got := ask(16<<10 + 64); got != 431 {
		t.Errorf("just above 16 KiB: got %d", got)
	}
}
