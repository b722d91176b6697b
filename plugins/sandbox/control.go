package sandbox

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
)

// controlPrefix is where everything lies that no provider has.
const controlPrefix = "/_sandbox/"

const maxControlBody = 1 << 20

// errBroken is answered when the journal cannot be written.
var errBroken = errors.New("the sandbox journal cannot be written; see the log and restart the sandbox")

func (s *Server) controlRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sandbox/healthz", s.getHealth)
	mux.HandleFunc("POST /_sandbox/codes", s.postCode)
	mux.HandleFunc("POST /_sandbox/accounts", s.postAccount)
	mux.HandleFunc("GET /_sandbox/ledger", s.getLedger)
	mux.HandleFunc("GET /_sandbox/requests", s.getRequests)
	mux.HandleFunc("GET /_sandbox/violations", s.getViolations)
	mux.HandleFunc("POST /_sandbox/faults", s.postFault)
	mux.HandleFunc("GET /_sandbox/faults", s.getFaults)
	mux.HandleFunc("DELETE /_sandbox/faults", s.deleteFaults)
	mux.HandleFunc("GET /_sandbox/clock", s.getClock)
	mux.HandleFunc("POST /_sandbox/clock", s.postClock)
	for _, e := range s.envs {
		if c, ok := e.handler.(Controller); ok {
			below := controlPrefix + e.dialect.Name
			mux.Handle(below+"/", http.StripPrefix(below, c.Control()))
		}
	}
	return mux
}

// Decode reads the body of a control request, strictly; false means that the answer has been given. An empty body
// leaves into as it is.
func (e *Env) Decode(w http.ResponseWriter, r *http.Request, into any) bool {
	return e.server.decode(w, r, into)
}

// Reply answers a control request. An error becomes {"error"}.
func (e *Env) Reply(w http.ResponseWriter, status int, body any) {
	if err, failed := body.(error); failed {
		e.server.fail(w, status, err)
		return
	}
	e.server.reply(w, status, body)
}

func (s *Server) getHealth(w http.ResponseWriter, _ *http.Request) {
	if s.journal.broken() != nil {
		s.fail(w, http.StatusServiceUnavailable, errBroken)
		return
	}
	s.reply(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) postCode(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Provider string `json:"provider"`
		Code     string `json:"code"`
		CodeOptions
	}
	env, ok := s.decodeFor(w, r, &body, &body.Provider)
	if !ok {
		return
	}
	code, err := env.issueCode(body.Code, body.CodeOptions)
	if err != nil {
		s.broke(w, err)
		return
	}
	s.reply(w, http.StatusOK, map[string]string{"code": code})
}

func (s *Server) postAccount(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Provider   string             `json:"provider"`
		Label      string             `json:"label"`
		Credential stdjson.RawMessage `json:"credential"`
		Options    stdjson.RawMessage `json:"options"`
	}
	env, ok := s.decodeFor(w, r, &body, &body.Provider)
	if !ok {
		return
	}
	if (body.Label == "") == (len(body.Credential) == 0) {
		s.fail(w, http.StatusBadRequest, errors.New("one of label and credential is needed"))
		return
	}
	account := Account{Credential: body.Credential}
	var err error
	if body.Label != "" {
		account, err = env.labelled(body.Label)
	}
	if err == nil && (body.Label == "" || len(body.Options) > 0) {
		account.Options = body.Options
		account, err = env.saveAccount(account)
	}
	if s.journal.broken() != nil {
		s.broke(w, err)
		return
	}
	if err != nil {
		s.fail(w, http.StatusBadRequest, err)
		return
	}
	s.reply(w, http.StatusOK, struct {
		Provider string `json:"provider"`
		Account
	}{body.Provider, account})
}

func (s *Server) getViolations(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	found := append([]Violation{}, s.violations...)
	s.mu.Unlock()
	s.reply(w, http.StatusOK, map[string][]Violation{"violations": found})
}

func (s *Server) postFault(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Provider    string   `json:"provider"`
		Operation   string   `json:"operation"`
		OrderID     string   `json:"order_id"`
		Probability *float64 `json:"probability"`
		Fault       string   `json:"fault"`
		DelayMS     int64    `json:"delay_ms"`
		Times       int      `json:"times"`
	}
	if !s.decode(w, r, &body) {
		return
	}
	fault := Fault{
		Provider: body.Provider, Operation: body.Operation, OrderID: body.OrderID, Probability: 1,
		Fault: body.Fault, DelayMS: body.DelayMS, Times: body.Times,
	}
	if body.Probability != nil {
		fault.Probability = *body.Probability
	}
	armed, err := s.faults.arm(fault)
	if err != nil {
		s.fail(w, http.StatusBadRequest, err)
		return
	}
	s.reply(w, http.StatusOK, armed)
}

func (s *Server) getFaults(w http.ResponseWriter, _ *http.Request) {
	s.reply(w, http.StatusOK, map[string][]Fault{"faults": s.faults.list()})
}

func (s *Server) deleteFaults(w http.ResponseWriter, _ *http.Request) {
	s.reply(w, http.StatusOK, map[string]int{"cleared": s.faults.clear()})
}

type clockAnswer struct {
	Now   time.Time `json:"now"`
	Ahead string    `json:"ahead"`
}

func (s *Server) clock() clockAnswer {
	return clockAnswer{Now: s.now(), Ahead: time.Duration(s.ahead.Load()).String()}
}

func (s *Server) getClock(w http.ResponseWriter, _ *http.Request) {
	s.reply(w, http.StatusOK, s.clock())
}

func (s *Server) postClock(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Advance string `json:"advance"`
	}
	if !s.decode(w, r, &body) {
		return
	}
	step, err := time.ParseDuration(body.Advance)
	if err != nil || step <= 0 || step > 100*365*24*time.Hour {
		s.fail(w, http.StatusBadRequest, errors.New(`advance: a duration over 0 such as "25m"; the clock does not go back`))
		return
	}
	if err := s.advance(step); err != nil {
		s.broke(w, err)
		return
	}
	s.reply(w, http.StatusOK, s.clock())
}

func (s *Server) advance(step time.Duration) error {
	s.mu.Lock()
	ahead := s.ahead.Add(int64(step))
	err := s.appendLocked(record{Clock: &clockSet{AheadMS: time.Duration(ahead).Milliseconds()}})
	last := s.last
	s.mu.Unlock()
	return errors.Join(err, last.wait())
}

// decodeFor decodes a body that names a provider, and finds the provider.
func (s *Server) decodeFor(w http.ResponseWriter, r *http.Request, body any, provider *string) (*Env, bool) {
	if !s.decode(w, r, body) {
		return nil, false
	}
	env := s.env(*provider)
	if env == nil {
		s.fail(w, http.StatusBadRequest, errors.New("provider: the sandbox does not play it"))
		return nil, false
	}
	return env, true
}

// decode is strict, so that a misspelt member does not arm nothing silently.
func (s *Server) decode(w http.ResponseWriter, r *http.Request, into any) bool {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControlBody))
	if err != nil {
		s.fail(w, http.StatusRequestEntityTooLarge, errors.New("the body cannot be read, or is too large"))
		return false
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		raw = []byte("{}")
	}
	if err := json.Unmarshal(raw, into, json.RejectUnknownMembers(true)); err != nil {
		s.fail(w, http.StatusBadRequest, err)
		return false
	}
	return true
}

func (s *Server) broke(w http.ResponseWriter, err error) {
	s.log.Error("the sandbox journal cannot be written", slog.Any("error", err))
	s.fail(w, http.StatusServiceUnavailable, errBroken)
}

func (s *Server) fail(w http.ResponseWriter, status int, err error) {
	s.reply(w, status, map[string]string{"error": err.Error()})
}

func (s *Server) reply(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		s.log.Error("a control answer has no JSON form", slog.Any("error", err))
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(encoded) // nobody is left to tell
}
