package host_test

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/internal/tunnel"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/internal/wire/transportv1"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// envNoTunnel makes the hosts of this suite call every plugin by plain unary calls.
const envNoTunnel = "PAYRACK_TEST_NO_TUNNEL"

// callTests are the tests of this suite that call plugins.
const callTests = "^Test(EveryField.*|Trace.*|Unreadable.*|RefusedBefore.*|CutCalls.*|CrashReport|PluginSees.*|Activate.*|" +
	"SwapUnderLoad|Killed.*Back|Stopped.*|Reconfigure|Disable|DrainDeadline|CloseCuts.*|Bulkhead)$"

// Nobody above the connection can tell a plugin with the tunnel from one without: what calls plugins passes both ways.
func TestSuiteWithoutTunnel(t *testing.T) {
	t.Parallel()
	if os.Getenv(envNoTunnel) != "" {
		t.Skip("this is the run without the tunnel")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run="+callTests)
	cmd.Env = append(os.Environ(), envNoTunnel+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A plugin that breaks the protocol of the tunnel makes the call unknown, never paid and never failed, and its
// process is replaced: its tunnel would not come back.
func TestTunnelThatBreaks(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"end-tunnel", "fail-tunnel", "stranger", "number-zero", "ten-megabyte-frame"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			pid := activate(t, h, role{Version: "1.0.0", Behaviour: "raw-tunnel"}, "").PID
			l := acquire(t, h)
			a := l.Pay(withTime(t, 20*time.Second), payment(order))
			if a.Outcome() != provider.OutcomeUnknown || a.Failure() == nil || a.Failure().Effect != provider.EffectPossible ||
				a.Failure().Reason != provider.ReasonUnavailable {
				t.Errorf("outcome %v, %+v", a.Outcome(), a.Failure())
			}
			// The instance is held, and nothing is handed to it any more.
			a = l.Pay(withTime(t, 20*time.Second), payment("good"))
			if a.Failure() == nil || a.Failure().Effect != provider.EffectNone || a.Failure().Reason != provider.ReasonUnavailable {
				t.Errorf("after the end: outcome %v, %+v", a.Outcome(), a.Failure())
			}
			l.Close()
			restarted(t, h, pid)
			if a := acquire(t, h).Pay(withTime(t, 20*time.Second), payment("good")); a.Outcome() != provider.OutcomeApproved {
				t.Errorf("the next payment: outcome %v, %+v", a.Outcome(), a.Failure())
			}
		})
	}
}

// A plugin that goes on with calls when their time is over is told of, once for each; one that stops is not.
func TestCallsThatGoOnAreTold(t *testing.T) {
	t.Parallel()
	var facts factList
	h := newHost(t, func(o *host.Options) {
		o.PingEvery, o.DrainExtra, o.Facts = 50*time.Millisecond, 3*time.Second, facts.add
	})
	activate(t, h, role{Version: "1.0.0"}, "")
	l := acquire(t, h)
	var wg sync.WaitGroup
	for _, order := range []string{"sleep:60s", "sleep:60s", "goes-on:30s", "goes-on:30s", "goes-on:30s"} {
		wg.Go(func() { // long enough that each reaches the plugin before its time is over
			a := l.Pay(withTime(t, 2*time.Second), payment(order))
			if a.Outcome() != provider.OutcomeUnknown || a.Failure().Reason != provider.ReasonTimeout {
				t.Errorf("%s: outcome %v, %+v", order, a.Outcome(), a.Failure())
			}
		})
	}
	wg.Wait()
	told := func() (calls int64) {
		facts.mu.Lock()
		defer facts.mu.Unlock()
		for _, f := range facts.all {
			if f.Kind == host.FactOverran && f.Version == "1.0.0" {
				calls += f.Value
			}
		}
		return calls
	}
	eventually(t, "it is told", func() bool { return told() >= 3 })
	if n := told(); n != 3 {
		t.Errorf("%d calls went on, want 3", n)
	}
}

// A call that an open tunnel has not answered ends with its own deadline; the others do not notice.
func TestTunnelCallWithoutAnswer(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	activate(t, h, role{Version: "1.0.0", Behaviour: "raw-tunnel"}, "")
	l := acquire(t, h)
	a := l.Pay(withTime(t, time.Second), payment("swallow"))
	if a.Outcome() != provider.OutcomeUnknown || a.Failure().Effect != provider.EffectPossible || a.Failure().Reason != provider.ReasonTimeout {
		t.Errorf("outcome %v, %+v", a.Outcome(), a.Failure())
	}
	if a := l.Pay(withTime(t, 20*time.Second), payment("twice")); a.Outcome() != provider.OutcomeApproved {
		t.Errorf("an answer that comes twice: outcome %v, %+v", a.Outcome(), a.Failure())
	}
	if a := l.Pay(withTime(t, 20*time.Second), payment("good")); a.Outcome() != provider.OutcomeApproved {
		t.Errorf("the next payment: outcome %v, %+v", a.Outcome(), a.Failure())
	}
}

func TestTunnelThatIsOnlyPromised(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	_, err := h.Slot(pluginName).Activate(t.Context(), release(t, role{Version: "1.0.0", Behaviour: "raw-feature"}), nil)
	refused, ok := errors.AsType[*host.Refused](err)
	if !ok || refused.Code != host.CodeProtocolUnsupported {
		t.Errorf("%v", err)
	}
}

// registerTrickTunnel serves the tunnel without the SDK, and breaks its rules on order.
func registerTrickTunnel(s *grpc.Server, p *rawPlugin) {
	inner := tunnel.NewServer(tunnel.Options{})
	providerv1.RegisterProviderServiceServer(inner, p)
	transportv1.RegisterTunnelServiceServer(s, &trickTunnel{inner: inner})
}

type trickTunnel struct {
	transportv1.UnimplementedTunnelServiceServer

	inner *tunnel.Server
}

type tunnelStream = grpc.BidiStreamingServer[transportv1.OpenRequest, transportv1.OpenResponse]

func (s *trickTunnel) Open(stream tunnelStream) error {
	return s.inner.Open(&trickStream{tunnelStream: stream})
}

type trickStream struct{ tunnelStream }

// Recv acts on what the order of a payment says before the tunnel sees it.
func (s *trickStream) Recv() (*transportv1.OpenRequest, error) {
	for {
		m, err := s.tunnelStream.Recv()
		if err != nil {
			return nil, err
		}
		kept := m.GetFrames()[:0]
		for _, f := range m.GetFrames() {
			keep, err := s.trick(f)
			if err != nil {
				return nil, err
			}
			if keep {
				kept = append(kept, f)
			}
		}
		if m.Frames = kept; len(kept) > 0 {
			return m, nil
		}
	}
}

func (s *trickStream) trick(f *transportv1.CallFrame) (keep bool, err error) {
	answer := func(f *transportv1.AnswerFrame) error {
		return s.Send(&transportv1.OpenResponse{Frames: []*transportv1.AnswerFrame{f}})
	}
	if f.GetMethod() != providerv1.ProviderService_Pay_FullMethodName {
		return true, nil
	}
	var r providerv1.PayRequest
	if err := proto.Unmarshal(f.GetPayload(), &r); err != nil {
		return false, err
	}
	switch r.GetReference().GetOrderId() {
	case "end-tunnel":
		return false, errors.New("the end")
	case "fail-tunnel":
		return false, s.Send(&transportv1.OpenResponse{Frames: []*transportv1.AnswerFrame{nil}})
	case "stranger":
		return false, answer(&transportv1.AnswerFrame{Call: f.GetCall() + 1})
	case "number-zero":
		return false, answer(&transportv1.AnswerFrame{})
	case "ten-megabyte-frame":
		return false, answer(&transportv1.AnswerFrame{Call: f.GetCall(), Payload: make([]byte, 10<<20)})
	case "swallow":
		return false, nil
	case "twice":
		out := &providerv1.PayResponse{Answer: &providerv1.Answer{Known: &providerv1.Answer_Result{Result: &providerv1.Result{
			Outcome: providerv1.Outcome_OUTCOME_APPROVED,
		}}}}
		payload, err := proto.Marshal(out)
		if err != nil {
			return false, err
		}
		a := &transportv1.AnswerFrame{Call: f.GetCall(), Payload: payload}
		return false, errors.Join(answer(a), answer(a))
	default:
		return true, nil
	}
}
