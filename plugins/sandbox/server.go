package sandbox

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const journalFormat = 1

// defaultHangLimit is longer than any client waits.
const defaultHangLimit = 10 * time.Minute

// Options of a sandbox.
type Options struct {
	// Dir is the sandbox's folder; it is created if it is not there.
	Dir string
	// Dialects are the providers to play; dialects.All returns all there are.
	Dialects []Dialect
	// Log takes warnings and failures. Nil drops them.
	Log *slog.Logger
	// Now is the clock before it is advanced. Nil is the wall clock.
	Now func() time.Time
	// Rand is the source of chance. Nil is crypto/rand.
	Rand io.Reader
	// HangLimit is how long the fault hang holds a connection if the client does not leave. 0 is ten
	// minutes.
	HangLimit time.Duration
	// LandingMax, if set, is the longest that the fault delay keeps a request from landing; the rest of
	// the delay falls between the landing and the answer.
	LandingMax time.Duration
	// SearchLagMax, if set, caps the fault search_lag.
	SearchLagMax time.Duration
}

// Server is a sandbox.
type Server struct {
	opts    Options
	log     *slog.Logger
	faults  *faultBoard
	mux     http.Handler
	envs    []*Env
	journal *journal
	ahead   atomic.Int64 // of the clock, nanoseconds
	base    uint64       // of the serial numbers, fixed when the journal was made
	closing chan struct{}
	stop    sync.Once

	mu         sync.Mutex // guards what follows, and every book
	seq        uint64
	last       *group                               // the latest durable line
	replayed   map[string]map[string]jsontext.Value // rows nobody has opened yet
	orders     map[string]map[string]struct{}       // provider, order ids seen
	violations []Violation
}

// New opens the folder, takes up the state in it and mounts the dialects. It listens nowhere.
func New(opts Options) (*Server, error) {
	if opts.Dir == "" {
		return nil, errors.New("the sandbox needs a folder")
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	if opts.HangLimit == 0 {
		opts.HangLimit = defaultHangLimit
	}
	s := &Server{
		opts:     opts,
		log:      opts.Log,
		closing:  make(chan struct{}),
		replayed: map[string]map[string]jsontext.Value{},
		orders:   map[string]map[string]struct{}{},
	}
	if err := checkDialects(opts.Dialects); err != nil {
		return nil, err
	}
	journal, err := openJournal(opts.Dir, opts.Log, s.replay)
	if err != nil {
		return nil, err
	}
	s.journal = journal
	if err := s.begin(); err != nil {
		return nil, errors.Join(err, journal.close())
	}
	return s, nil
}

func checkDialects(dialects []Dialect) error {
	for i, d := range dialects {
		if d.Name == "" || !strings.HasPrefix(d.Prefix, "/") {
			return fmt.Errorf("dialect %q: a name and a prefix that begins with / are needed", d.Name)
		}
		for _, other := range dialects[:i] {
			if other.Name == d.Name || other.Prefix == d.Prefix {
				return fmt.Errorf("dialects %q and %q share a name or a prefix", other.Name, d.Name)
			}
		}
	}
	return nil
}

// begin marks a new journal and mounts everything on what was replayed.
func (s *Server) begin() error {
	if s.seq == 0 {
		s.base = uint64(binary.BigEndian.Uint32(RandomBytes(s.opts.Rand, 4)))
		s.mu.Lock()
		err := s.appendLocked(record{Install: &install{Format: journalFormat, Base: s.base}})
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
	s.faults = newFaultBoard(s)
	for _, d := range s.opts.Dialects {
		env := newEnv(s, d)
		env.handler = d.Mount(env)
		if err := env.openErr; err != nil {
			return fmt.Errorf("state of %s: %w", d.Name, err)
		}
		s.envs = append(s.envs, env)
	}
	// The longest prefix wins.
	slices.SortFunc(s.envs, func(a, b *Env) int { return len(b.dialect.Prefix) - len(a.dialect.Prefix) })
	s.mux = s.routes()
	return nil
}

func (s *Server) replay(body []byte) error {
	var rec record
	if err := json.Unmarshal(body, &rec); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	if rec.Seq <= s.seq {
		return fmt.Errorf("number %d follows %d", rec.Seq, s.seq)
	}
	s.seq = rec.Seq
	if rec.Install != nil {
		if rec.Install.Format != journalFormat {
			return fmt.Errorf("format %d is not known to this version", rec.Install.Format)
		}
		s.base = rec.Install.Base
	}
	if rec.Clock != nil {
		s.ahead.Store(int64(time.Duration(rec.Clock.AheadMS) * time.Millisecond))
	}
	if rec.Request != nil {
		s.sawOrder(rec.Request.Provider, rec.Request.OrderID)
	}
	if rec.Violation != nil {
		s.violations = append(s.violations, *rec.Violation)
	}
	for _, r := range rec.Rows {
		if s.replayed[r.Book] == nil {
			s.replayed[r.Book] = map[string]jsontext.Value{}
		}
		s.replayed[r.Book][r.Key] = r.Value.Clone()
	}
	return nil
}

// appendLocked numbers a record and queues it for the disk. The caller holds mu.
func (s *Server) appendLocked(rec record) error {
	s.seq++
	rec.Seq = s.seq
	body, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("encode a journal line: %w", err)
	}
	// A request alone need not be durable: it has no effect, and the next change takes it along.
	durable := rec.Request == nil
	g := s.journal.append(body, durable)
	if durable {
		s.last = g
	}
	return nil
}

// now is the sandbox's clock.
func (s *Server) now() time.Time {
	return s.opts.Now().Add(time.Duration(s.ahead.Load())).UTC()
}

// Handler serves the providers and the control routes.
func (s *Server) Handler() http.Handler { return s.mux }

// Close lets go of held connections, makes everything durable and closes the file. It is safe to call
// twice. Stop the HTTP server first.
func (s *Server) Close() error {
	s.stop.Do(func() { close(s.closing) })
	return s.journal.close()
}

// env returns the dialect of that name, or nil.
func (s *Server) env(name string) *Env {
	for _, e := range s.envs {
		if e.dialect.Name == name {
			return e
		}
	}
	return nil
}

func (s *Server) routes() http.Handler {
	control := s.controlRoutes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, controlPrefix) {
			control.ServeHTTP(w, r)
			return
		}
		for _, e := range s.envs {
			if e.serves(rawPath(r)) {
				e.handler.ServeHTTP(w, r)
				return
			}
		}
		http.NotFound(w, r)
	})
}
