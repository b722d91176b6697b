package provider

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// service is the gRPC face of a provider.
type service struct {
	providerv1.UnimplementedProviderServiceServer

	opener opener
	host   Host
	info   *providerv1.GetInfoResponse
	guard  guard
	spans  *spanQueue
	// rehearsal: the provider is asked nothing but what is rehearsed.
	rehearsal bool

	configuring sync.Mutex
	current     atomic.Pointer[revision]
}

// newService describes the provider and checks that what it declares and what it implements agree.
func newService(ctx context.Context, name string, o opener, h Host, spans *spanQueue) (*service, error) {
	p, err := o.describe(ctx, h)
	if err != nil {
		return nil, err
	}
	defer closeProvider(p)
	d := p.Describe()
	if wrong := mismatches(p, d); len(wrong) > 0 {
		return nil, fmt.Errorf("provider %s: %s", name, strings.Join(wrong, "; "))
	}
	return &service{opener: o, host: h, info: infoToWire(name, d), guard: newGuard(d, h.Now), spans: spans}, nil
}

// GetInfo describes the plugin.
func (s *service) GetInfo(context.Context, *providerv1.GetInfoRequest) (*providerv1.GetInfoResponse, error) {
	return s.info, nil
}

// Configure opens the provider with new settings and swaps it in; until then the old one serves.
func (s *service) Configure(ctx context.Context, r *providerv1.ConfigureRequest) (*providerv1.ConfigureResponse, error) {
	s.configuring.Lock()
	defer s.configuring.Unlock()
	var next Provider
	problems := []string{"the plugin failed internally while it opened; its log has the place"}
	s.protected(ctx, "configure", func() {
		next, problems = s.opener.open(ctx, r.GetSettingsJson(), s.host)
		if len(problems) == 0 && !proto.Equal(s.info, infoToWire(s.info.GetName(), next.Describe())) {
			closeProvider(next)
			problems = []string{"the provider's description depends on its settings; it may not"}
		}
	})
	if len(problems) > 0 {
		return &providerv1.ConfigureResponse{Problems: problems}, nil
	}
	if old := s.current.Swap(newRevision(next)); old != nil {
		old.release()
	}
	s.host.Log.LogAttrs(ctx, slog.LevelInfo, "plugin configured", slog.Uint64("revision", r.GetRevision()))
	return &providerv1.ConfigureResponse{}, nil
}

// Health says whether calls may come.
func (s *service) Health(ctx context.Context, r *providerv1.HealthRequest) (*providerv1.HealthResponse, error) {
	rev := s.acquire()
	if rev == nil {
		return &providerv1.HealthResponse{Detail: "not configured yet"}, nil
	}
	defer rev.release()
	checker, ok := rev.provider.(HealthChecker)
	if !ok || s.rehearsal {
		return &providerv1.HealthResponse{Ready: true}, nil
	}
	out := &providerv1.HealthResponse{Detail: "the health check failed internally; the plugin's log has the place"}
	s.protected(ctx, "health", func() {
		if err := checker.Health(ctx, r.GetDeep()); err != nil {
			out.Detail = clean(err.Error(), maxDetail)
			return
		}
		out.Ready, out.Detail = true, ""
	})
	return out, nil
}

// Telemetry streams spans until the host leaves or the plugin ends.
func (s *service) Telemetry(_ *providerv1.TelemetryRequest, stream providerv1.ProviderService_TelemetryServer) error {
	if s.spans == nil {
		return status.Error(codes.Unimplemented, "this plugin records no spans")
	}
	return s.spans.stream(stream.Context(), stream.Send)
}

func (s *service) acquire() *revision {
	for {
		rev := s.current.Load()
		if rev == nil || rev.acquire() {
			return rev
		}
	}
}

// shutdown closes the provider if no call is under way.
func (s *service) shutdown() {
	if rev := s.current.Swap(nil); rev != nil {
		rev.release()
	}
}

// move runs one money-moving call. do answers false if the provider lacks the ability.
func (s *service) move(ctx context.Context, kind Kind, r request, do func(context.Context, Provider) (Answer, bool)) *providerv1.Answer {
	if f := s.guard.check(ctx, kind, r, true); f != nil {
		return answerToWire(Answer{failure: f})
	}
	rev := s.acquire()
	if rev == nil {
		return answerToWire(NotSent(ReasonUnavailable, "", "the plugin is not configured yet"))
	}
	defer rev.release()
	// What stands here is the answer of a call that panics: bytes may have left.
	answer := Unknown(ReasonInternal, "", "the plugin failed internally; its log has the place")
	s.protected(ctx, string(kind), func() {
		a, able := do(ctx, rev.provider)
		if !able {
			a = NotSent(ReasonUnsupported, "", "the plugin does not do this")
		}
		answer = a
	})
	return answerToWire(answer)
}

// ask runs one call that moves no money and returns why it could not be run, or nil.
func (s *service) ask(ctx context.Context, kind Kind, r request, do func(context.Context, Provider) bool) *Failure {
	if f := s.guard.check(ctx, kind, r, false); f != nil {
		return f
	}
	rev := s.acquire()
	if rev == nil {
		return refusal(ReasonUnavailable, "the plugin is not configured yet")
	}
	defer rev.release()
	able := true
	if !s.protected(ctx, string(kind), func() { able = do(ctx, rev.provider) }) {
		return &Failure{Reason: ReasonInternal, Detail: "the plugin failed internally; its log has the place"}
	}
	if !able {
		return refusal(ReasonUnsupported, "the plugin does not do this")
	}
	return nil
}

// protected runs f and reports whether it returned. A panic is logged by its place: its text and the
// arguments in a stack may hold what a client sent.
func (s *service) protected(ctx context.Context, what string, f func()) (returned bool) {
	defer func() {
		if r := recover(); r != nil {
			s.host.Log.LogAttrs(ctx, slog.LevelError, "plugin call panicked",
				slog.String("call", what), slog.String("panic", panicWord(r)), slog.String("stack", places()))
		}
	}()
	f()
	return true
}

func panicWord(r any) string {
	if e, ok := r.(runtime.Error); ok {
		return e.Error() // written by the Go runtime: an index, a nil pointer
	}
	return fmt.Sprintf("%T", r)
}

// places lists functions and lines of the panicking goroutine, without arguments.
func places() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs)])
	var b strings.Builder
	for {
		f, more := frames.Next()
		b.WriteString(f.Function + " " + f.File + ":" + strconv.Itoa(f.Line) + "\n")
		if !more {
			return b.String()
		}
	}
}
