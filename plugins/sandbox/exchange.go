package sandbox

import (
	"bytes"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Answer is what a dialect answers.
type Answer struct {
	// Status is the HTTP status; 0 is 200.
	Status int
	// Header is added to the answer; Content-Type is application/json if not set here.
	Header http.Header
	// Body in full.
	Body []byte
}

// Exchange is one request and its answer.
type Exchange struct {
	// Redelivered is true while the request is handled a second time, which the client did not ask for.
	Redelivered bool

	env     *Env
	request Request
	http    *http.Request
	struck  []*Fault // claimed and not fired yet
}

// Serve records the request, lets faults strike before and after, and sends what handle answers. The body
// of r has been read. handle decides and commits; it may be called twice.
func (e *Env) Serve(w http.ResponseWriter, r *http.Request, operation, orderID string, handle func(*Exchange) Answer) {
	req := e.arrived(r, operation, orderID, false)
	x := &Exchange{env: e, request: req, http: r, struck: e.server.faults.claim(req)}
	defer func() { e.server.faults.giveBack(x.struck) }()

	if x.before(w) {
		return
	}
	answer := handle(x)
	if _, twice := x.fire(FaultDuplicateDelivery); twice {
		e.arrived(r, operation, orderID, true)
		x.Redelivered = true
		answer = handle(x)
	}
	x.send(w, answer)
}

// arrived puts a transmission on the list.
func (e *Env) arrived(r *http.Request, operation, orderID string, redelivered bool) Request {
	s := e.server
	s.mu.Lock()
	defer s.mu.Unlock()
	req := Request{
		Seq:         s.seq + 1,
		At:          s.now(),
		Provider:    e.dialect.Name,
		Operation:   operation,
		OrderID:     orderID,
		BaseOrderID: s.baseOrder(e.dialect.Name, orderID),
		TraceID:     traceID(r.Header.Get("Traceparent")),
		Redelivered: redelivered,
	}
	s.sawOrder(req.Provider, orderID)
	if err := s.appendLocked(record{Request: &req}); err != nil {
		s.log.ErrorContext(r.Context(), "a request was not written", slog.Any("error", err))
	}
	return req
}

// Do is [Env.Do] for a request: if the journal is broken the connection is closed without an answer,
// because none would be true.
func (x *Exchange) Do(change func(*Tx)) {
	if err := x.env.Do(change); err != nil {
		x.env.server.log.ErrorContext(x.http.Context(), "no answer: the sandbox journal cannot be written", slog.Any("error", err))
		panic(http.ErrAbortHandler)
	}
}

// Fire reports whether the named fault strikes this request, and counts it. Ask only when it can take
// effect.
func (x *Exchange) Fire(fault string) bool {
	_, struck := x.fire(fault)
	return struck
}

// FireFor is Fire for a fault that lasts.
func (x *Exchange) FireFor(fault string) (time.Duration, bool) {
	f, struck := x.fire(fault)
	if !struck {
		return 0, false
	}
	return f.delay(), true
}

// FireCode returns the return code to answer with, and counts it: nothing else may happen then.
func (x *Exchange) FireCode() (string, bool) {
	i := slices.IndexFunc(x.struck, func(f *Fault) bool { return strings.HasPrefix(f.Fault, codeFault) })
	if i < 0 {
		return "", false
	}
	f, _ := x.fire(x.struck[i].Fault)
	return strings.TrimPrefix(f.Fault, codeFault), true
}

// Lag returns how far behind this request sees, if the fault search_lag strikes it. Confirm it with
// Fire(FaultSearchLag) if something was hidden.
func (x *Exchange) Lag() time.Duration {
	i := slices.IndexFunc(x.struck, func(f *Fault) bool { return f.Fault == FaultSearchLag })
	if i < 0 {
		return 0
	}
	lag := x.struck[i].delay()
	if limit := x.env.server.opts.SearchLagMax; limit > 0 {
		lag = min(lag, limit)
	}
	return lag
}

func (x *Exchange) fire(fault string) (*Fault, bool) {
	i := slices.IndexFunc(x.struck, func(f *Fault) bool { return f.Fault == fault })
	if i < 0 {
		return nil, false
	}
	f := x.struck[i]
	x.struck = slices.Delete(x.struck, i, i+1)
	x.env.server.faults.fire(f)
	return f, true
}

// before lets the faults strike that come before the provider does anything. It returns true if that was
// the answer.
func (x *Exchange) before(w http.ResponseWriter) bool {
	if f, ok := x.fire(FaultDelay); ok {
		early := f.delay()
		if limit := x.env.server.opts.LandingMax; limit > 0 && early > limit {
			x.late(early - limit)
			early = limit
		}
		x.Wait(early)
	}
	if f, ok := x.fire(FaultHang); ok {
		x.hang(f.delay())
	}
	if x.Fire(FaultDropBeforeCommit) {
		panic(http.ErrAbortHandler)
	}
	for _, status := range httpFaults {
		if x.Fire(httpFault(status, "before")) {
			writeHTTPFault(w, status)
			return true
		}
	}
	return false
}

// late postpones the answer, not the landing.
func (x *Exchange) late(d time.Duration) {
	x.struck = append(x.struck, &Fault{Fault: FaultDelayAfterCommit, DelayMS: d.Milliseconds()})
}

// Wait waits in real time. The connection is closed if the sandbox stops meanwhile.
func (x *Exchange) Wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.env.Closing():
		panic(http.ErrAbortHandler)
	}
}

// hang holds the connection and closes it without an answer.
func (x *Exchange) hang(limit time.Duration) {
	if limit == 0 {
		limit = x.env.server.opts.HangLimit
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.http.Context().Done():
	case <-x.env.Closing():
	}
	panic(http.ErrAbortHandler)
}

// send lets the faults strike that spoil an answer, and sends it.
func (x *Exchange) send(w http.ResponseWriter, answer Answer) {
	for f, ok := x.fire(FaultDelayAfterCommit); ok; f, ok = x.fire(FaultDelayAfterCommit) {
		x.Wait(f.delay())
	}
	if f, ok := x.fire(FaultHangAfterCommit); ok {
		x.hang(f.delay())
	}
	if x.Fire(FaultDropAfterCommit) {
		panic(http.ErrAbortHandler)
	}
	for _, status := range httpFaults {
		if x.Fire(httpFault(status, "after")) {
			writeHTTPFault(w, status)
			return
		}
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	maps.Copy(header, answer.Header)
	if answer.Status == 0 {
		answer.Status = http.StatusOK
	}
	x.write(w, answer)
}

func (x *Exchange) write(w http.ResponseWriter, answer Answer) {
	body := answer.Body
	if x.Fire(FaultGarbled) {
		body = bytes.Map(func(r rune) rune { return r ^ 'Z' }, body)
	}
	if x.Fire(FaultHugeBody) {
		body = append(body, bytes.Repeat([]byte{' '}, 128<<10)...)
	}
	if x.Fire(FaultEndlessBody) {
		w.WriteHeader(answer.Status)
		x.writeForever(w, body)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(answer.Status)
	if x.Fire(FaultTruncated) {
		_, _ = w.Write(body[:len(body)/2]) // the client sees the cut either way
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body) // a client that has left changes nothing here: the ledger is written
}

func (x *Exchange) writeForever(w http.ResponseWriter, body []byte) {
	end := time.Now().Add(x.env.server.opts.HangLimit)
	filler := bytes.Repeat([]byte{' '}, 4<<10)
	_, err := w.Write(body)
	for err == nil && time.Now().Before(end) {
		if _, err = w.Write(filler); err == nil {
			err = http.NewResponseController(w).Flush()
		}
		x.Wait(time.Millisecond)
	}
	panic(http.ErrAbortHandler)
}

func writeHTTPFault(w http.ResponseWriter, status int) {
	http.Error(w, http.StatusText(status), status)
}

var (
	attemptSuffix = regexp.MustCompile(`-(?:[2-9]|[1-9][0-9]{1,3}|r[0-9]+)(?:-[0-9a-f]{6})?$`)
	traceParent   = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$`)
)

// baseOrder is the order before a suffix for a second attempt. Only an order that was seen before is
// taken for one, because an order may end in a number of its own. The caller holds mu.
func (s *Server) baseOrder(provider, orderID string) string {
	at := attemptSuffix.FindStringIndex(orderID)
	if at == nil {
		return orderID
	}
	if _, seen := s.orders[provider][orderID[:at[0]]]; seen {
		return orderID[:at[0]]
	}
	return orderID
}

// sawOrder remembers an order id. The caller holds mu.
func (s *Server) sawOrder(provider, orderID string) {
	if orderID == "" {
		return
	}
	if s.orders[provider] == nil {
		s.orders[provider] = map[string]struct{}{}
	}
	s.orders[provider][orderID] = struct{}{}
}

// traceID takes the trace from a W3C traceparent header; empty if it is not one.
func traceID(header string) string {
	m := traceParent.FindStringSubmatch(header)
	if m == nil || strings.Trim(m[1], "0") == "" {
		return ""
	}
	return m[1]
}
