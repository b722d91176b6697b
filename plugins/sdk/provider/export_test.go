package provider

import (
	"context"
	"log/slog"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// Service lets tests call a provider through the contract without a process.
type Service = service

// NewTestService describes and returns the service, as Serve does before its handshake.
func NewTestService[S any](
	ctx context.Context, name string, open func(context.Context, S, Host) (Provider, error), h Host,
) (providerv1.ProviderServiceServer, error) {
	return newService(ctx, name, typedOpener[S](open), h, nil)
}

// WatchParent is watchParent.
func WatchParent(parent int, every time.Duration, end func()) { watchParent(parent, every, end) }

// SpanQueue is spanQueue.
type SpanQueue = spanQueue

// NewSpanQueue is newSpanQueue.
var NewSpanQueue = newSpanQueue

// Tracers is tracerProvider.
func (q *spanQueue) Tracers() *sdktrace.TracerProvider { return q.tracerProvider() }

// Stream is stream.
func (q *spanQueue) Stream(ctx context.Context, send func(*providerv1.TelemetryResponse) error) error {
	return q.stream(ctx, send)
}

// Finish is finish.
func (q *spanQueue) Finish(limit time.Duration) { q.finish(limit) }

// Foreign is foreign.
var Foreign = foreign

// Exchanges is exchangeService.
type Exchanges = exchangeService

// NewTestExchanges records the calls of a service of NewTestService.
func NewTestExchanges(s providerv1.ProviderServiceServer) *Exchanges {
	served, _ := s.(*service)
	return &exchangeService{service: served, recorder: newRecorder(served.info, served.host.Now)}
}

// NewTestRehearsal is a service in a process for rehearsals.
func NewTestRehearsal[S any](
	ctx context.Context, name string, open func(context.Context, S, Host) (Provider, error), log *slog.Logger,
) (*Exchanges, providerv1.ProviderServiceServer, error) {
	on := &stage{}
	s, err := newService(ctx, name, typedOpener[S](open), Host{Log: log, Now: on.now, HTTP: NewClient(ClientOptions{Now: on.now, stage: on})}, nil)
	if err != nil {
		return nil, nil, err
	}
	s.rehearsal = true
	return &exchangeService{service: s, recorder: newRecorder(s.info, on.now), stage: on}, s, nil
}

// Around is the recorder's part of a call.
func (s *exchangeService) Around(ctx context.Context, request any, next grpc.UnaryHandler) (any, error) {
	return s.recorder.around(ctx, request, next)
}

// Stream is the recorder's stream.
func (s *exchangeService) Stream(ctx context.Context, send func(*providerv1.ExchangesResponse) error) error {
	return s.recorder.stream(ctx, send)
}

// Finish ends the streams.
func (s *exchangeService) Finish() { s.recorder.finish() }

// Listeners is how many streams are open.
func (s *exchangeService) Listeners() int { return int(s.recorder.streams.Load()) }

// DummyOf is dummyOf.
var DummyOf = dummyOf

// FillStandIns puts keys in the place of stand-ins.
func FillStandIns(document []byte) []byte { return new(standIns).fill(document) }

// Sampler is a sampler with a clock of its own.
func Sampler(now func() time.Time) func(kind, code string) bool {
	s := newSampler(now)
	return func(kind, code string) bool { return s.takes(sampleKey{kind: Kind(kind), code: code}) }
}

// Classify is what the error of a transport that sent nothing is called.
func Classify(ctx context.Context, err error) string { return classify(ctx, false, err).text }
