package provider

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// featureRehearsal says that a plugin can be started for rehearsals.
const featureRehearsal = "rehearsal/1"

// stage is where a plugin is rehearsed: its client sends nothing, and what was recorded answers. It is made once for a
// process, which then never sends anything at all.
type stage struct {
	turn sync.Mutex // one call at a time: a plugin may have lost the context by which calls are told apart

	mu      sync.Mutex
	at      time.Time
	script  []*scripted
	played  []*traffic
	dials   atomic.Uint32
	keys    standIns
	playing bool
}

// scripted is a recorded request and what came back.
type scripted struct {
	recorded       *providerv1.Traffic
	used           bool
	signatureWrong bool
	// echo replaces what the gateway repeated of the recorded request by what stands in its place in this one.
	echo *strings.Replacer
}

// now is the time of the recording: what a plugin writes into a request is then the same in every rehearsal.
func (s *stage) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.playing {
		return s.at
	}
	return time.Now()
}

// begin sets the stage for a recorded call.
func (s *stage) begin(e *providerv1.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.playing, s.played, s.script = e.GetAt().AsTime(), true, nil, nil
	s.dials.Store(0)
	for _, t := range e.GetTraffic() {
		s.script = append(s.script, &scripted{recorded: t, signatureWrong: t.GetResponse().GetSignatureWrong()})
	}
}

// end returns what the plugin would have sent.
func (s *stage) end() []*traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.playing = false
	return s.played
}

// answer stands in for the network. It never blocks, whatever the plugin's deadline is.
func (s *stage) answer(ctx context.Context, req *http.Request, body []byte) (Response, *SendError) {
	t := newTraffic(ctx, req, bytes.Clone(body))
	t.clear, t.header = bytes.Clone(t.clear), req.Header.Clone()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.playing || len(s.played) >= maxTraffic {
		return Response{}, &SendError{Reason: ReasonInternal, text: "nothing is sent in a rehearsal"}
	}
	s.played = append(s.played, t)
	t.script = s.next(t)
	if t.script == nil {
		return t.ended(Response{}, &SendError{Sent: true, Reason: ReasonUnavailable, text: "the recording has no answer to a further request"})
	}
	t.script.used = true
	t.script.listen(t)
	if res := t.script.recorded.GetResponse(); res != nil {
		return t.ended(t.script.response(res), nil)
	}
	return t.ended(Response{}, failedFromWire(t.script.recorded.GetFailure()))
}

// next is the recorded request that is meant: one to the same place, else the next of all.
func (s *stage) next(t *traffic) *scripted {
	var first *scripted
	for _, r := range s.script {
		if r.used {
			continue
		}
		if r.recorded.GetMethod() == t.method && r.recorded.GetPath() == t.path {
			return r
		}
		if first == nil {
			first = r
		}
	}
	return first
}

func (s *scripted) response(r *providerv1.TrafficResponse) Response {
	out := Response{Status: int(r.GetStatus()), Header: http.Header{}, Body: s.echoed(r.GetBody())}
	for _, h := range r.GetHeaders() {
		out.Header.Set(h.GetName(), h.GetValue())
	}
	return out
}

func failedFromWire(f *providerv1.TrafficFailure) *SendError {
	e := &SendError{Sent: f.GetEffect() != providerv1.Effect_EFFECT_NONE, Status: int(f.GetStatus()), text: f.GetDetail()}
	for reason, number := range reasonNumbers {
		if number == f.GetReason() {
			e.Reason = reason
		}
	}
	return e
}

// open finds the recorded clear text of a sealed part.
func (s *scripted) open(sealed []byte) ([]byte, error) {
	parts := s.recorded.GetResponse().GetOpened()
	for _, part := range parts {
		if string(bytes.TrimSpace(sealed)) == part.GetWord() {
			if part.GetFailed() {
				return nil, errRecordedSeal
			}
			return s.echoed(part.GetClear()), nil
		}
	}
	return nil, errOtherSeal
}
