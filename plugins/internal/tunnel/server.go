package tunnel

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/payrack/payrack/plugins/internal/wire/transportv1"
)

// Options of a Server. Zero values have the defaults that are named.
type Options struct {
	// Interceptor is called around each call, as grpc.UnaryInterceptor is around plain ones. Default: none.
	Interceptor grpc.UnaryServerInterceptor
	// Panicked is told what a handler panicked with, on the goroutine that panicked. The call ends with INTERNAL.
	// Default: nobody is told.
	Panicked func(ctx context.Context, method string, value any)
	// MaxCalls is how many calls of one tunnel may be open. More are answered with RESOURCE_EXHAUSTED at once.
	// Default 4096.
	MaxCalls int
}

// Server is the plugin's end of tunnels. It serves the unary methods of the services that are registered with it
// before the first tunnel is opened.
type Server struct {
	transportv1.UnimplementedTunnelServiceServer

	options Options
	methods map[string]method
	ending  chan struct{}
	once    sync.Once
}

type method struct {
	service any
	handler grpc.MethodHandler
}

var (
	_ grpc.ServiceRegistrar    = (*Server)(nil)
	_ grpc.ClientConnInterface = (*Client)(nil)
)

// NewServer makes a server without services.
func NewServer(o Options) *Server {
	if o.MaxCalls <= 0 {
		o.MaxCalls = 4096
	}
	return &Server{options: o, methods: map[string]method{}, ending: make(chan struct{})}
}

// RegisterService implements grpc.ServiceRegistrar.
func (s *Server) RegisterService(d *grpc.ServiceDesc, service any) {
	for _, m := range d.Methods {
		s.methods["/"+d.ServiceName+"/"+m.MethodName] = method{service: service, handler: m.Handler}
	}
}

// Drain refuses new calls, and ends each tunnel when its open calls have been answered. It does not wait.
func (s *Server) Drain() { s.once.Do(func() { close(s.ending) }) }

// Open serves one tunnel.
func (s *Server) Open(stream grpc.BidiStreamingServer[transportv1.OpenRequest, transportv1.OpenResponse]) error {
	if err := stream.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	t := newSession(s, stream)
	defer t.end()
	read := make(chan error, 1)
	go func() { read <- t.read() }()
	go func() { _ = t.out.pump(stream.Context().Done()) }() // when it cannot send, reading ends as well
	select {
	case err := <-read:
		return err
	case <-s.ending:
	}
	select {
	case err := <-read:
		return err
	case <-t.drain():
	}
	select {
	case err := <-read:
		return err
	case <-t.out.close():
		return nil
	}
}

// call runs the handler of a call and returns its frame.
func (s *Server) call(ctx context.Context, f *transportv1.CallFrame) *transportv1.AnswerFrame {
	m, ok := s.methods[f.GetMethod()]
	if !ok {
		return refused(f, codes.Unimplemented, "the plugin has no such method")
	}
	out, err := s.handle(ctx, m, f)
	if err != nil {
		st := status.Convert(err)
		return refused(f, st.Code(), st.Message())
	}
	message, ok := out.(proto.Message)
	if !ok {
		return refused(f, codes.Internal, "the plugin gave no answer")
	}
	payload, err := proto.Marshal(message)
	switch {
	case err != nil:
		return refused(f, codes.Internal, "the answer cannot be encoded")
	case len(payload) > maxPayload:
		return refused(f, codes.ResourceExhausted, "the answer is too long")
	}
	return &transportv1.AnswerFrame{Call: f.GetCall(), Payload: payload}
}

// handle calls the handler, and a panic is its error.
func (s *Server) handle(ctx context.Context, m method, f *transportv1.CallFrame) (out any, err error) {
	defer func() {
		if value := recover(); value != nil {
			if s.options.Panicked != nil {
				s.options.Panicked(ctx, f.GetMethod(), value)
			}
			out, err = nil, status.Error(codes.Internal, "the plugin failed internally")
		}
	}()
	return m.handler(m.service, withTrace(ctx, f), func(into any) error {
		message, ok := into.(proto.Message)
		if !ok || proto.Unmarshal(f.GetPayload(), message) != nil {
			return status.Error(codes.Internal, "the request cannot be read")
		}
		return nil
	}, s.options.Interceptor)
}

func refused(f *transportv1.CallFrame, code codes.Code, why string) *transportv1.AnswerFrame {
	if len(why) > maxReason {
		why = why[:maxReason]
	}
	return &transportv1.AnswerFrame{Call: f.GetCall(), Code: uint32(code), Message: validUTF8(why)}
}
