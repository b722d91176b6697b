package host_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// BenchmarkPay is one payment through a real plugin process with mutual TLS. "hop" is answered by the plugin
// itself; "gateway" asks an HTTP gateway in a third process first. Beside the time it reports the CPU of both
// processes for each payment, which moves far less than the time does on a busy machine.
func BenchmarkPay(b *testing.B) {
	for _, order := range []string{"hop", "gateway"} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/callers=%d", order, callers), func(b *testing.B) {
				h := newHost(b)
				benchPay(b, h, order, callers)
			})
		}
	}
}

func benchPay(b *testing.B, h *host.Host, order string, callers int) {
	b.Helper()
	if order == "gateway" {
		order = "get:" + startGateway(b)
	}
	pid := activate(b, h, role{Version: "1.0.0"}, "").PID
	s := h.Slot(pluginName)
	pay := func() error {
		ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
		defer cancel()
		l, err := s.Acquire(ctx)
		if err != nil {
			return err
		}
		defer l.Close()
		if a := l.Pay(ctx, payment(order)); a.Outcome() != provider.OutcomeApproved {
			return fmt.Errorf("outcome %v, %+v", a.Outcome(), a.Failure())
		}
		return nil
	}
	run := func(n int64) {
		var all sync.WaitGroup
		var left atomic.Int64
		left.Store(n)
		for range callers {
			all.Go(func() {
				for left.Add(-1) >= 0 {
					if err := pay(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	}
	run(int64(10 * callers)) // connections and pools
	hostBefore, pluginBefore := ownCPU(b), cpuOf(b, pid)
	b.ResetTimer()
	run(int64(b.N))
	b.StopTimer()
	micros := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N) }
	b.ReportMetric(micros(ownCPU(b)-hostBefore), "host-cpu-µs/op")
	b.ReportMetric(micros(cpuOf(b, pid)-pluginBefore), "plugin-cpu-µs/op")
}

func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cpuOf reads the CPU time of another process, in steps of 10 ms.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	raw, err := os.ReadFile(filepath.Join("/proc", itoa(pid), "stat"))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), ") ") // the name before it may hold spaces
	fields := strings.Fields(rest)
	var ticks int64
	for _, text := range fields[11:13] { // utime and stime
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	const ticksPerSecond = 100 // what Linux tells user space, on every architecture
	return time.Duration(ticks) * time.Second / ticksPerSecond
}

// startGateway runs playGateway in a process of its own, so that its CPU is nobody else's.
func startGateway(b *testing.B) (url string) {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), exe)
	cmd.Env = append(os.Environ(), "PAYRACK_TEST_GATEWAY=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// playGateway answers every request until standard input ends.
func playGateway() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	_, _ = fmt.Println("http://" + l.Addr().String())
	server := http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"returnCode":"0000","info":{"transactionId":2026112200000000001,"orderId":"o","payInfo":[{"method":"BALANCE","amount":229}]}}`)
	})}
	_ = server.Serve(l)
}
