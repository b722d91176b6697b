package host_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func itoa(n int) string { return strconv.Itoa(n) }

// playPlugin is the main of the test plugin.
func playPlugin(r role) {
	provider.Version = r.Version
	name := pluginName
	switch r.Behaviour {
	case "":
	case "other-name":
		name = "otherpay"
	case "other-version":
		provider.Version = "9.9.9"
	case "crash-at-start":
		_, _ = fmt.Fprintln(os.Stderr, "panic: cannot go on")
		os.Exit(3)
	case "silent":
		time.Sleep(time.Hour)
	case "endless-line":
		for {
			_, _ = os.Stdout.WriteString(strings.Repeat("x", 4096))
		}
	case "garbage":
		_, _ = fmt.Println("hello, I am a program")
		time.Sleep(time.Hour)
	case "old-contract":
		_, _ = fmt.Println("1|7|unix|" + os.Getenv(plugin.EnvUnixSocketDir) + "/s|grpc|Q0VSVA")
		time.Sleep(time.Hour)
	case "foreign-socket":
		_, _ = fmt.Println("1|1|unix|/run/other.sock|grpc|Q0VSVA")
		time.Sleep(time.Hour)
	case "mute":
		// The handshake is right, and nobody answers on the socket.
		dir := os.Getenv(plugin.EnvUnixSocketDir)
		fd, _ := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		_ = syscall.Bind(fd, &syscall.SockaddrUnix{Name: dir + "/s"})
		_ = syscall.Listen(fd, 8)
		block, _ := pem.Decode([]byte(os.Getenv("PLUGIN_CLIENT_CERT"))) // any certificate will do
		_, _ = fmt.Println("1|1|unix|" + dir + "/s|grpc|" + base64.RawStdEncoding.EncodeToString(block.Bytes))
		time.Sleep(time.Hour)
	case "bad-log":
		for _, line := range []string{
			`{"@message":1}`, `{"@level":[],"@message":{}}`, `{"@message":"x","@timestamp":7}`,
			`{"msg":3,"level":null}`, `{"level":"INFO","msg":"seen","canary":"log-canary"}`, `null`, `[]`, `{`, `"`,
			"\x00\x1b[31m\xff\xfe",
		} {
			_, _ = os.Stderr.WriteString(line + "\n")
		}
	case "log-flood":
		line := strings.Repeat("y", 999) + "\n"
		for range 50_000 {
			_, _ = os.Stderr.WriteString(line)
		}
	case "deaf":
		// Neither the lifeline nor a signal ends it.
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
		r, w, _ := os.Pipe()
		os.Stdin = r
		defer func() { _ = w.Close() }() // also keeps it from being collected, which would close it
	case "child":
		child := exec.Command("/bin/sleep", "120")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		_ = child.Start()
		_ = os.WriteFile(os.Getenv("PAYRACK_TEST_CHILD"), []byte(itoa(child.Process.Pid)), 0o600)
	case "escaped-child":
		child := exec.Command("/bin/sleep", "120")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		_ = child.Start()
		_ = os.WriteFile(os.Getenv("PAYRACK_TEST_CHILD"), []byte(itoa(child.Process.Pid)), 0o600)
	case "raw", "raw-tunnel", "raw-feature", "raw-ill", "raw-picky", "raw-failing":
		serveRaw(r.Behaviour)
		return
	default:
		if !playHostile(r) {
			panic("unknown role " + r.Behaviour)
		}
	}
	provider.Serve(name, openTest)
}

// settings of the test plugin.
type settings struct {
	Label  string          `json:"label"`
	Reject bool            `json:"reject"`
	Ill    bool            `json:"ill"`
	IllFor int64           `json:"ill_for"` // so many times it says that it is not ready, then it is
	Secret provider.Secret `json:"secret"`
}

func openTest(_ context.Context, s settings, h provider.Host) (provider.Provider, error) {
	if s.Reject {
		return nil, errors.New("the label is not to my liking")
	}
	return &testProvider{settings: s, host: h}, nil
}

type testProvider struct {
	settings settings
	host     provider.Host
	closed   atomic.Bool
	asked    atomic.Int64
}

func (p *testProvider) Close() error {
	p.closed.Store(true)
	return nil
}

func (p *testProvider) Health(context.Context, bool) error {
	if p.settings.Ill || p.asked.Add(1) <= p.settings.IllFor {
		return errors.New("a fever")
	}
	return nil
}

// Describe sets every field, so that a conversion that forgets one is seen.
func (*testProvider) Describe() provider.Description {
	schema := func(n string) json.RawMessage { return json.RawMessage(`{"type":"object","title":"` + n + `"}`) }
	operation := func(k provider.Kind) provider.Operation {
		return provider.Operation{
			Kind: k, Columns: schema("c" + string(k)), Answer: schema("a" + string(k)),
			Aliases:    []provider.Route{{Method: "POST", Path: "/v1/payment/" + pluginName + "/" + string(k)}},
			MovesMoney: true, OrderIDUnique: true, IdempotentReplay: true, FoundByOrderID: true, CancelsUnlanded: true,
			CarriesReference: true, SearchLagMax: 3 * time.Second, LandingMax: 4 * time.Second, MaxDuration: 5 * time.Second,
			Bodies: map[provider.Situation]json.RawMessage{
				provider.SituationDuplicateOrder: schema("d"), provider.SituationInProgress: schema("p"), provider.SituationReversing: schema("r"),
			},
		}
	}
	t := provider.Type{
		Name: testType, Credential: schema("credential"),
		Currencies: []provider.Currency{{Code: "USD", Exponent: 2}, {Code: "THB", Exponent: 2}},
	}
	for _, k := range allKinds() {
		t.Operations = append(t.Operations, operation(k))
	}
	return provider.Description{MessageFrom: "TEST", Settings: schema("settings"), MaxInflight: 100, Types: []provider.Type{t}}
}

func allKinds() []provider.Kind {
	return []provider.Kind{
		provider.KindPay, provider.KindConfirm, provider.KindCapture, provider.KindVoid, provider.KindRefund,
		provider.KindSearch, provider.KindCheckMandate, provider.KindExpireMandate,
	}
}

// Pay does what the order says.
func (p *testProvider) Pay(ctx context.Context, r provider.PayRequest) provider.Answer {
	word, rest, _ := strings.Cut(r.Reference.OrderID, ":")
	approved := func(text string) provider.Answer {
		body, _ := json.Marshal(map[string]string{"text": text})
		return provider.Approved(provider.Result{Reference: r.Reference}, provider.Native{Body: body})
	}
	switch word {
	case "echo":
		return provider.Approved(filled[provider.Result](), provider.Native{Body: dump(r), Sensitive: true})
	case "sleep":
		d, _ := time.ParseDuration(rest)
		if d >= 100*time.Millisecond { // shorter ones are load
			p.host.Log.LogAttrs(ctx, slog.LevelInfo, "asleep")
		}
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return provider.Unknown(provider.ReasonTimeout, "", "cancelled")
		}
	case "goes-on": // whatever its context says
		d, _ := time.ParseDuration(rest)
		time.Sleep(d)
	case "panic":
		panic("secret-canary " + r.Code.Reveal())
	case "die":
		os.Exit(7)
	case "crash":
		go func() { panic("crash-canary") }()
		time.Sleep(time.Hour)
	case "print":
		for range 500 {
			_, _ = fmt.Println(strings.Repeat("printed ", 32))
		}
		_, _ = fmt.Println("last-words")
	case "env":
		body, _ := json.Marshal(map[string]any{"env": os.Environ(), "cwd": cwd(), "files": files(), "fds": descriptors()})
		return provider.Approved(provider.Result{}, provider.Native{Body: body})
	case "try":
		return try(r.Description)
	case "hoard":
		hoard()
	case "terabyte":
		terabyte()
	case "label":
		return approved(p.settings.Label)
	case "get":
		return p.askGateway(ctx, r, rest)
	case "closed":
		return approved(strconv.FormatBool(p.closed.Load()))
	case "trace":
		return approved(trace.SpanContextFromContext(ctx).TraceID().String())
	case "big":
		return provider.Approved(provider.Result{Reference: provider.Reference{OrderID: strings.Repeat("z", 10<<20)}}, provider.Native{})
	case "failure":
		return provider.NotSent(provider.ReasonAuth, "C1", "detail").WithRetryAfter(3 * time.Second)
	case "log":
		p.host.Log.LogAttrs(ctx, slog.LevelInfo, "from the plugin", slog.String("order", r.Reference.OrderID))
	}
	return approved("ok")
}

// askGateway pays at an HTTP gateway, as a provider does.
func (p *testProvider) askGateway(ctx context.Context, r provider.PayRequest, url string) provider.Answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`{"orderId":"o","amount":229}`))
	if err != nil {
		return provider.NotSent(provider.ReasonInternal, "", "no request")
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := p.host.HTTP.Do(ctx, r.Call, req)
	if sendErr, failed := errors.AsType[*provider.SendError](err); failed {
		return sendErr.Answer()
	}
	return provider.Approved(provider.Result{Reference: r.Reference}, provider.Native{Body: res.Body})
}

func cwd() string {
	dir, _ := os.Getwd()
	return dir
}

func files() []string {
	entries, _ := os.ReadDir(".")
	out := []string{}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func descriptors() []string {
	entries, _ := os.ReadDir("/proc/self/fd")
	out := []string{}
	for _, e := range entries {
		target, _ := os.Readlink("/proc/self/fd/" + e.Name())
		out = append(out, target)
	}
	return out
}

func (*testProvider) Confirm(_ context.Context, r provider.ConfirmRequest) provider.Answer {
	return provider.Declined(filled[provider.Result](), provider.Native{Body: dump(r)})
}

func (*testProvider) Capture(_ context.Context, r provider.CaptureRequest) provider.Answer {
	return provider.RequiresAction(filled[provider.Result](), provider.Native{Body: dump(r)})
}

func (*testProvider) Void(_ context.Context, r provider.VoidRequest) provider.Answer {
	return provider.Undecided(filled[provider.Result](), provider.Native{Body: dump(r)})
}

func (*testProvider) Refund(_ context.Context, r provider.RefundRequest) provider.Answer {
	return provider.Unknown(provider.ReasonRateLimited, "E5", "slow down").WithRetryAfter(time.Minute).WithNative(provider.Native{Body: dump(r)})
}

func (*testProvider) Search(_ context.Context, r provider.SearchRequest) provider.SearchAnswer {
	if r.Reference.OrderID == "failure" {
		f := filled[provider.Failure]()
		return provider.SearchAnswer{Failure: &f}
	}
	f := filled[provider.Findings]()
	return provider.SearchAnswer{Findings: &f, Native: provider.Native{Body: dump(r), Sensitive: true}}
}

func (*testProvider) CheckMandate(_ context.Context, r provider.CheckMandateRequest) provider.MandateAnswer {
	m := filled[provider.Mandate]()
	return provider.MandateAnswer{Mandate: &m, Native: provider.Native{Body: dump(r)}}
}

func (*testProvider) ExpireMandate(_ context.Context, r provider.ExpireMandateRequest) provider.MandateAnswer {
	f := filled[provider.Failure]()
	return provider.MandateAnswer{Failure: &f, Native: provider.Native{Body: dump(r)}}
}

func (*testProvider) ParseNotification(_ context.Context, n provider.Notification) provider.NotificationAnswer {
	out := filled[provider.NotificationAnswer]()
	out.Reply = provider.Native{Body: dump(n)}
	return out
}

// serveRaw serves the contract without the SDK and its limits.
func serveRaw(behaviour string) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: handshake.Protocol, MagicCookieKey: handshake.CookieKey, MagicCookieValue: handshake.CookieValue,
		},
		Plugins: plugin.PluginSet{handshake.PluginName: &rawPlugin{behaviour: behaviour}},
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(o, grpc.MaxSendMsgSize(1<<30))...)
		},
	})
}

type rawPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	providerv1.UnimplementedProviderServiceServer

	behaviour string
}

func (p *rawPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	providerv1.RegisterProviderServiceServer(s, p)
	if p.behaviour == "raw-tunnel" {
		registerTrickTunnel(s, p)
	}
	return nil
}

func (*rawPlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("no client")
}

func (p *rawPlugin) GetInfo(context.Context, *providerv1.GetInfoRequest) (*providerv1.GetInfoResponse, error) {
	info := rawInfo()
	if p.behaviour == "raw-tunnel" || p.behaviour == "raw-feature" {
		info.Features = []string{"mux/1", "of-a-newer-contract/7"}
	}
	return info, nil
}

func rawInfo() *providerv1.GetInfoResponse {
	return &providerv1.GetInfoResponse{
		Name: pluginName, Version: provider.Version, ContractRevision: 1, MessageFrom: "RAW",
		Types: []*providerv1.PaymentType{{
			Name: testType, CredentialSchema: []byte("{}"), Currencies: []*providerv1.Currency{{Code: "USD", Exponent: 2}},
			Operations: []*providerv1.Operation{
				{Kind: providerv1.OperationKind_OPERATION_KIND_PAY, ColumnsSchema: []byte("{}"), MaxDuration: seconds(5)},
				{Kind: 77}, // of a newer contract
			},
		}},
	}
}

// endless is what no log, journal or database should hold.
func endless() string { return "at first\x00\n" + strings.Repeat("and on ", 10_000) }

func (p *rawPlugin) Configure(context.Context, *providerv1.ConfigureRequest) (*providerv1.ConfigureResponse, error) {
	switch p.behaviour {
	case "raw-picky":
		return &providerv1.ConfigureResponse{Problems: []string{endless(), endless()}}, nil
	case "raw-failing":
		return nil, status.Error(codes.Internal, endless())
	}
	return &providerv1.ConfigureResponse{}, nil
}

func (p *rawPlugin) Health(context.Context, *providerv1.HealthRequest) (*providerv1.HealthResponse, error) {
	if p.behaviour == "raw-ill" {
		return &providerv1.HealthResponse{Detail: endless()}, nil
	}
	return &providerv1.HealthResponse{Ready: true}, nil
}

func (*rawPlugin) Pay(_ context.Context, r *providerv1.PayRequest) (*providerv1.PayResponse, error) {
	result := func(r *providerv1.Result, n *providerv1.Native) (*providerv1.PayResponse, error) {
		return &providerv1.PayResponse{Answer: &providerv1.Answer{Known: &providerv1.Answer_Result{Result: r}, Native: n}}, nil
	}
	approved := &providerv1.Result{Outcome: providerv1.Outcome_OUTCOME_APPROVED}
	switch r.GetReference().GetOrderId() {
	case "nil":
		return nil, nil
	case "empty":
		return &providerv1.PayResponse{}, nil
	case "foreign-outcome":
		return result(&providerv1.Result{Outcome: 99}, nil)
	case "unspecified-outcome":
		return result(&providerv1.Result{}, nil)
	case "unspecified-effect":
		return &providerv1.PayResponse{Answer: &providerv1.Answer{Known: &providerv1.Answer_Error{Error: &providerv1.OpError{}}}}, nil
	case "foreign-effect":
		return &providerv1.PayResponse{Answer: &providerv1.Answer{Known: &providerv1.Answer_Error{Error: &providerv1.OpError{Effect: 42, Reason: 42}}}}, nil
	case "no-object":
		return result(approved, &providerv1.Native{Body: []byte(`[1]`)})
	case "half-object":
		return result(approved, &providerv1.Native{Body: []byte(`{"a":`)})
	case "two-objects":
		return result(approved, &providerv1.Native{Body: []byte(`{} {}`)})
	case "long-native":
		return result(approved, &providerv1.Native{Body: []byte(`{"a":"` + strings.Repeat("x", 64<<10) + `"}`)})
	case "ten-megabytes":
		return result(&providerv1.Result{Outcome: providerv1.Outcome_OUTCOME_APPROVED, ProviderCode: strings.Repeat("x", 10<<20)}, nil)
	default:
		return result(approved, &providerv1.Native{Body: []byte(` {"a":1} `)})
	}
}
