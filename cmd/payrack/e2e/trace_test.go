package e2e_test

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// span is one exported span with the process that made it.
type span struct {
	*tracepb.Span
	pid     string
	service string
}

// receiver is an OTLP/HTTP collector that keeps what it gets.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans []span
	raw   strings.Builder
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		var body io.Reader = q.Body
		if q.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(q.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			body = unzipped
		}
		raw, _ := io.ReadAll(body)
		var batch collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(raw, &batch); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.raw.Write(raw)
		for _, group := range batch.GetResourceSpans() {
			one := span{}
			for _, a := range group.GetResource().GetAttributes() {
				switch a.GetKey() {
				case "process.pid":
					one.pid = fmt.Sprint(a.GetValue().GetIntValue())
				case "service.name":
					one.service = a.GetValue().GetStringValue()
				}
			}
			for _, scope := range group.GetScopeSpans() {
				for _, s := range scope.GetSpans() {
					one.Span = s
					r.spans = append(r.spans, one)
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(r.Close)
	return r
}

// trace lists the spans of a trace.
func (r *receiver) trace(id string) []span {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []span
	for _, s := range r.spans {
		if hex.EncodeToString(s.GetTraceId()) == id {
			all = append(all, s)
		}
	}
	return all
}

// env makes `payrack dev` export to the receiver at once.
func (r *receiver) env() []string {
	return []string{
		"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_ENDPOINT=" + r.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_BSP_SCHEDULE_DELAY=100", "OTEL_TRACES_SAMPLER=always_on",
	}
}

// TestTrace follows one payment through HTTP, core, database, plugin process and provider call: one trace, one root,
// every parent known, spans of two processes, and the trace id that the gateway saw.
func TestTrace(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	p := start(t, t.TempDir(), r.env())
	a := p.post(linePayPath, p.linePay("TRACE-1"))
	if a.status != http.StatusOK {
		t.Fatalf("pay: %s", a)
	}
	arrived := p.requests("linepay", "TRACE-1")
	if len(arrived) != 1 || len(arrived[0].TraceID) != 32 {
		t.Fatalf("the gateway saw %+v, want one request with a trace id", arrived)
	}
	id := arrived[0].TraceID

	var spans []span
	p.waitFor("a whole trace", func() bool {
		spans = r.trace(id)
		pids := map[string]bool{}
		roots := 0
		for _, s := range spans {
			pids[s.pid] = true
			if len(s.GetParentSpanId()) == 0 {
				roots++
			}
		}
		return roots == 1 && len(pids) >= 2 && len(spans) >= 5 && unknownParents(spans) == 0
	})
	var names []string
	for _, s := range spans {
		names = append(names, s.service+" "+s.GetName())
	}
	all := strings.Join(names, "\n")
	for layer, word := range map[string]string{
		"HTTP": "/v1/payment/integrate/pay", "core": "payrack.pay", "database": "commit", "plugin": "payrack-provider-linepay",
		"provider call": "oneTimeKeys",
	} {
		if !strings.Contains(all, word) {
			t.Errorf("no span of the %s layer (%q) in:\n%s", layer, word, all)
		}
	}
	// The provider's call hangs below the HTTP request, through the plugin's process.
	byID := map[string]span{}
	for _, s := range spans {
		byID[string(s.GetSpanId())] = s
	}
	for _, s := range spans {
		if !strings.Contains(s.GetName(), "oneTimeKeys") {
			continue
		}
		crossed, top := map[string]bool{}, s
		for ok := true; ok; top, ok = byID[string(top.GetParentSpanId())] {
			crossed[top.pid] = true
			if len(top.GetParentSpanId()) == 0 {
				break
			}
		}
		if len(crossed) < 2 || len(top.GetParentSpanId()) != 0 {
			t.Errorf("the provider's call crosses %d processes and ends at %q", len(crossed), top.GetName())
		}
	}
}

func unknownParents(all []span) int {
	known := map[string]bool{}
	for _, s := range all {
		known[string(s.GetSpanId())] = true
	}
	unknown := 0
	for _, s := range all {
		if parent := string(s.GetParentSpanId()); parent != "" && !known[parent] {
			unknown++
		}
	}
	return unknown
}
