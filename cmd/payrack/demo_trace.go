package main

import (
	"cmp"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spanReceiver is a collector of OTLP over HTTP that keeps what it gets.
type spanReceiver struct {
	url    string
	server *http.Server
	ended  chan error

	mu    sync.Mutex
	spans []span
}

// span is one exported span with the process that it ran in.
type span struct {
	trace, id, parent string
	name, service     string
	pid               int64
	kind              tracepb.Span_SpanKind
	start, end        time.Time
}

func openSpanReceiver(ctx context.Context) (*spanReceiver, error) {
	l, err := listen(ctx, "span receiver", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &spanReceiver{url: "http://" + l.Addr().String(), ended: make(chan error, 1)}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	go func() { r.ended <- r.server.Serve(l) }()
	return r, nil
}

func (r *spanReceiver) close() error {
	err := r.server.Close()
	if served := <-r.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// ServeHTTP takes a batch.
func (r *spanReceiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	var from io.Reader = q.Body
	if q.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(q.Body)
		if err != nil {
			http.Error(w, "no gzip", http.StatusBadRequest)
			return
		}
		from = unpacked
	}
	var batch coltracepb.ExportTraceServiceRequest
	body, err := io.ReadAll(io.LimitReader(from, largestAnswer))
	if err != nil || proto.Unmarshal(body, &batch) != nil {
		http.Error(w, "no OTLP", http.StatusBadRequest)
		return
	}
	r.keep(&batch)
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.WriteHeader(http.StatusOK)
}

func (r *spanReceiver) keep(batch *coltracepb.ExportTraceServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, resource := range batch.GetResourceSpans() {
		about := resource.GetResource().GetAttributes()
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				r.spans = append(r.spans, span{
					trace: hex.EncodeToString(s.GetTraceId()), id: hex.EncodeToString(s.GetSpanId()),
					parent: hex.EncodeToString(s.GetParentSpanId()), name: s.GetName(), kind: s.GetKind(),
					service: attribute(about, "service.name").GetStringValue(), pid: attribute(about, "process.pid").GetIntValue(),
					start: moment(s.GetStartTimeUnixNano()), end: moment(s.GetEndTimeUnixNano()),
				})
			}
		}
	}
}

func moment(nanoseconds uint64) time.Time { return time.Unix(0, int64(nanoseconds)) } //nolint:gosec // until the year 2262

func attribute(all []*commonpb.KeyValue, key string) *commonpb.AnyValue {
	for _, kv := range all {
		if kv.GetKey() == key {
			return kv.GetValue()
		}
	}
	return nil
}

func (r *spanReceiver) ofTrace(id string) []span {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []span
	for _, s := range r.spans {
		if s.trace == id {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b span) int { return cmp.Or(a.start.Compare(b.start), cmp.Compare(a.id, b.id)) })
	return found
}

// showTrace prints the spans of one payment as a tree and checks that they are one chain over processes.
func (d *demo) showTrace(ctx context.Context, id, order string) error {
	d.title("The trace of the LINE Pay payment", "Exported by OTLP: trace "+id+", from the HTTP request to the provider, over processes.")
	tree, err := d.awaitTrace(ctx, id)
	if err != nil {
		return err
	}
	d.say("   %-52s %10s %8s  %s", "span", "took", "process", "service")
	tree.print(d, tree.root, "")
	if err := tree.checkChain(d); err != nil {
		return err
	}
	var seen struct {
		Requests []struct {
			Operation string `json:"operation"`
			TraceID   string `json:"trace_id"`
		} `json:"requests"`
	}
	query := url.Values{"provider": {lineProvider}, "order_id": {order}}.Encode()
	if err := d.sandbox.ask(ctx, http.MethodGet, "/_sandbox/requests?"+query, nil, &seen); err != nil {
		return err
	}
	arrived := false
	for _, r := range seen.Requests {
		if r.Operation == "pay" && r.TraceID == id {
			arrived = true
			d.say("   the provider received operation %q with trace %s", r.Operation, r.TraceID)
		}
	}
	return d.check(arrived, "the sandbox did not see trace %s", id)
}

// spanTree is the spans of one trace.
type spanTree struct {
	root     span
	byID     map[string]span
	children map[string][]span
}

// awaitTrace waits until the spans have arrived: processes export at their own pace.
func (d *demo) awaitTrace(ctx context.Context, id string) (spanTree, error) {
	deadline := time.Now().Add(15 * time.Second)
	for {
		tree, err := growTree(d.spans.ofTrace(id))
		if err == nil && tree.providerCall() != nil {
			return tree, d.check(true, "")
		}
		if time.Now().After(deadline) {
			return tree, errors.Join(d.check(false, "the spans of one payment did not arrive: %d of them", len(tree.byID)), err)
		}
		select {
		case <-ctx.Done():
			return tree, fmt.Errorf("the demo was interrupted: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// growTree makes the tree; spans whose parent is missing, but one, are an error.
func growTree(spans []span) (spanTree, error) {
	t := spanTree{byID: map[string]span{}, children: map[string][]span{}}
	for _, s := range spans {
		t.byID[s.id] = s
	}
	var roots []span
	for _, s := range spans {
		if _, ok := t.byID[s.parent]; ok {
			t.children[s.parent] = append(t.children[s.parent], s)
		} else {
			roots = append(roots, s)
		}
	}
	if len(roots) != 1 {
		return t, fmt.Errorf("%d of the spans have no parent among them, want only the HTTP request", len(roots))
	}
	t.root = roots[0]
	return t, nil
}

// providerCall is the call to the provider: the client span at the bottom that ran in another process.
func (t spanTree) providerCall() *span {
	for _, s := range t.byID {
		if s.kind == tracepb.Span_SPAN_KIND_CLIENT && s.pid != t.root.pid && len(t.children[s.id]) == 0 {
			return &s
		}
	}
	return nil
}

// checkChain walks from the provider's call up to the HTTP request.
func (t spanTree) checkChain(d *demo) error {
	leaf := t.providerCall()
	processes := map[int64]bool{}
	var chain []string
	for at, ok := *leaf, true; ok; at, ok = t.byID[at.parent] {
		processes[at.pid] = true
		chain = append([]string{at.name}, chain...)
		if len(chain) > len(t.byID) {
			return errors.New("the chain of spans is a circle")
		}
	}
	database := false
	for _, s := range t.byID {
		database = database || strings.HasPrefix(s.name, "payrack.ledger.commit")
	}
	d.say("   one chain: %s", strings.Join(chain, " → "))
	return errors.Join(
		d.check(chain[0] == t.root.name && t.root.kind == tracepb.Span_SPAN_KIND_SERVER, "the chain begins with %q, want the HTTP request", chain[0]),
		d.check(len(processes) >= 2, "the chain ran in %d process(es), want at least 2", len(processes)),
		d.check(slices.Contains(chain, "payrack.pay"), "the core is not in the chain"),
		d.check(database, "the database is not in the trace"),
	)
}

func (t spanTree) print(d *demo, s span, indent string) {
	name := indent + s.name
	d.say("   %-52s %10s %8d  %s", name, s.end.Sub(s.start).Round(10*time.Microsecond), s.pid, s.service)
	for _, child := range t.children[s.id] {
		t.print(d, child, indent+"  ")
	}
}

// showLedger prints what the provider's side wrote down and compares it with what the tills were told.
func (d *demo) showLedger(ctx context.Context, line, ipass string) error {
	d.title("The sandbox's ledger", "What the providers' side wrote down: the referee. Two charges, nothing of the declined and refused ones.")
	var got struct {
		Entries []struct {
			Seq           int64  `json:"seq"`
			Provider      string `json:"provider"`
			OrderID       string `json:"order_id"`
			TransactionID string `json:"transaction_id"`
			Kind          string `json:"kind"`
			Amount        int64  `json:"amount"`
			Currency      string `json:"currency"`
		} `json:"entries"`
	}
	if err := d.sandbox.ask(ctx, http.MethodGet, "/_sandbox/ledger", nil, &got); err != nil {
		return err
	}
	var booked []string
	d.say("   %-10s %-26s %-22s %-8s %s", "provider", "order", "transaction", "kind", "amount")
	for _, e := range got.Entries {
		d.say("   %-10s %-26s %-22s %-8s %d %s", e.Provider, e.OrderID, e.TransactionID, e.Kind, e.Amount, e.Currency)
		booked = append(booked, fmt.Sprint(e.Provider, " ", e.OrderID, " ", e.Kind, " ", e.Amount, " ", e.Currency))
	}
	want := []string{lineProvider + " " + line + " charge 100 TWD", ipassName + " " + ipass + " charge 229 TWD"}
	slices.Sort(booked)
	slices.Sort(want)
	return d.check(slices.Equal(booked, want), "the ledger holds %q, want %q", booked, want)
}
