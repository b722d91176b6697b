package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/ports/inbound"
)

// QuerySecrets says what happens to a GET search whose query holds credentials of a provider.
type QuerySecrets string

// The modes. Warn answers as usual, with the headers Deprecation and Link; Refuse answers 400 secret_in_url.
const (
	AllowQuerySecrets  QuerySecrets = "allow"
	WarnQuerySecrets   QuerySecrets = "warn"
	RefuseQuerySecrets QuerySecrets = "refuse"
)

// Rate is a token bucket: Burst at once, PerSecond in the long run. A negative PerSecond means no limit.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Options sets up the public plane. Zero members have the defaults named here.
type Options struct {
	Payments  inbound.Payments
	Records   inbound.Records
	Mandates  inbound.Mandates
	Notices   inbound.Notices
	Access    inbound.Access
	Catalogue inbound.Catalogue

	// DefaultEnvironment is used on the integrate routes when is_test is absent. Default: live. The routes
	// that providers declare are live without is_test, whatever stands here.
	DefaultEnvironment company.Environment
	// QuerySecrets: default warn.
	QuerySecrets QuerySecrets
	Log          *slog.Logger
	// Ready says whether the platform serves; nil means always. Its error goes to the log, not to clients.
	Ready func(context.Context) error
	// TraceID reads the trace of a request from its context; nil means no traces.
	TraceID func(context.Context) string
	// Middleware wraps the routes where the query and its secrets are gone already; Request.Pattern holds
	// method and route template when the inner handler has returned. May be nil.
	Middleware func(http.Handler) http.Handler
	// TrustedProxies may name the client in X-Forwarded-For. Without any the connection's address counts.
	TrustedProxies []netip.Prefix

	// MaxURL in bytes (8 KiB), MaxBody in bytes (64 KiB).
	MaxURL  int
	MaxBody int64
	// ClientRate limits the requests of one OAuth client (5000 a second).
	ClientRate Rate
	// FailureRate limits failed token requests of one client id from one address (1 a second, 20 at once). Here and below the
	// addresses of an IPv6 /64 are one.
	FailureRate Rate
	// ReturnRate limits the payers who come back from a wallet through one address (20 a second, 200 at once): a carrier's
	// whole network can stand behind one.
	ReturnRate Rate
	// Now is the clock of the rate limits; default time.Now.
	Now func() time.Time
}

// ServerOptions sets up the server of the plane.
type ServerOptions struct {
	// WriteTimeout bounds a request from its header to the end of its reply; it must be longer than the
	// longest call to a provider.
	WriteTimeout time.Duration
	Log          *slog.Logger
}

// NewServer returns a server with the limits of the plane: 5 s for the header, 15 s for the whole request,
// 16 KiB of header. The caller listens and shuts down.
func NewServer(h http.Handler, o ServerOptions) *http.Server {
	return httpkit.NewServer(h, httpkit.ServerOptions{WriteTimeout: o.WriteTimeout, Log: o.Log})
}

type api struct {
	Options
	clients  *httpkit.Buckets
	failures *httpkit.Buckets
	sources  *httpkit.Buckets
	returns  *httpkit.Buckets
	// attempts is full while no more client secrets are checked at one time.
	attempts chan struct{}
	secrets  secretColumns
	document document
	methods  map[string][]string
}

// maxBuckets bounds the memory of each kind of rate limit.
const maxBuckets = 10_000

// New returns the handler of the public plane.
func New(o Options) (http.Handler, error) {
	if o.Payments == nil || o.Records == nil || o.Mandates == nil || o.Notices == nil || o.Access == nil || o.Catalogue == nil || o.Log == nil {
		return nil, errors.New("httpapi: Payments, Records, Mandates, Notices, Access, Catalogue and Log are required")
	}
	if err := o.fill(); err != nil {
		return nil, err
	}
	a := &api{
		Options:  o,
		clients:  httpkit.NewBuckets(httpkit.Rate(o.ClientRate), maxBuckets, o.Now),
		failures: httpkit.NewBuckets(httpkit.Rate(o.FailureRate), maxBuckets, o.Now),
		// One address may try ten clients at the speed of one.
		sources: httpkit.NewBuckets(httpkit.Rate{
			PerSecond: 10 * o.FailureRate.PerSecond, Burst: 10 * o.FailureRate.Burst,
		}, maxBuckets, o.Now),
		returns: httpkit.NewBuckets(httpkit.Rate(o.ReturnRate), maxBuckets, o.Now),
		// As many as can be checked at one time anyway: the checks use processors, and nothing else.
		attempts: make(chan struct{}, max(2, runtime.GOMAXPROCS(0))),
		methods:  make(map[string][]string),
	}
	if err := a.document.load(); err != nil {
		return nil, err
	}
	e := echo.New()
	e.Logger.SetOutput(io.Discard) // nothing of ours uses it, and it would write to stdout
	e.HTTPErrorHandler = a.fail
	e.IPExtractor = clientIP(o.TrustedProxies)
	if err := a.routes(e); err != nil {
		return nil, err
	}
	shell := httpkit.Shell{
		Plane: "public", Log: o.Log, TraceID: o.TraceID, ClientIP: e.IPExtractor, Middleware: o.Middleware,
	}
	return shell.Handler(e), nil
}

func (o *Options) fill() error {
	if o.DefaultEnvironment == "" {
		o.DefaultEnvironment = company.Live
	}
	if !o.DefaultEnvironment.Valid() {
		return errors.New("httpapi: DefaultEnvironment must be live or test")
	}
	switch o.QuerySecrets {
	case "":
		o.QuerySecrets = WarnQuerySecrets
	case AllowQuerySecrets, WarnQuerySecrets, RefuseQuerySecrets:
	default:
		return errors.New("httpapi: QuerySecrets must be allow, warn or refuse")
	}
	if o.MaxURL == 0 {
		o.MaxURL = httpkit.MaxURL
	}
	if o.MaxBody == 0 {
		o.MaxBody = httpkit.MaxBody
	}
	if o.ClientRate == (Rate{}) {
		o.ClientRate = Rate{PerSecond: 5000, Burst: 5000}
	}
	if o.FailureRate == (Rate{}) {
		o.FailureRate = Rate{PerSecond: 1, Burst: 20}
	}
	if o.ReturnRate == (Rate{}) {
		o.ReturnRate = Rate{PerSecond: 20, Burst: 200}
	}
	return nil
}

// CallbackPrefix is where wallets send payers back to; the id of the payment follows.
const CallbackPrefix = "/v1/payment/callback/"

// The fixed routes. Routes that providers declare lie under aliasPath.
const (
	tokenPath   = "/oauth/v1/token" //nolint:gosec // a path, not a credential
	searchPath  = "/v1/payment/integrate/search"
	payPath     = "/v1/payment/integrate/pay"
	confirmPath = "/v1/payment/integrate/confirm"
	capturePath = "/v1/payment/integrate/capture"
	cancelPath  = "/v1/payment/integrate/cancel"
	refundPath  = "/v1/payment/integrate/refund"
	aliasPath   = "/v1/payment/*"

	callbackPath = CallbackPrefix + ":id"

	listPath    = "/v2/payments"
	paymentPath = listPath + "/:id"
	eventsPath  = paymentPath + "/events"
	mandatePath = "/v2/mandates/:id"
	chargePath  = mandatePath + "/payments"

	keysPath    = "/.well-known/jwks.json"
	openAPIPath = "/openapi.json"
	docsPath    = "/docs"
)

func (a *api) routes(e *echo.Echo) error {
	docs, err := newDocs()
	if err != nil {
		return err
	}
	a.add(e, http.MethodPost, tokenPath, a.token)
	a.add(e, http.MethodGet, searchPath, a.authorized(access.Search, a.integrateSearch))
	a.add(e, httpkit.MethodQuery, searchPath, a.authorized(access.Search, a.integrateSearch))
	a.add(e, http.MethodPost, searchPath, a.authorized(access.Search, a.integrateSearch))
	a.add(e, http.MethodPost, payPath, a.authorized(access.Pay, a.integratePay))
	a.add(e, http.MethodPost, confirmPath, a.authorized(access.Pay, a.integrateConfirm))
	a.add(e, http.MethodPost, capturePath, a.authorized(access.Pay, a.integrateCapture))
	a.add(e, http.MethodPost, cancelPath, a.authorized(access.Refund, a.integrateCancel))
	a.add(e, http.MethodPost, refundPath, a.authorized(access.Refund, a.integrateRefund))
	a.add(e, http.MethodGet, callbackPath, a.callback)
	a.neutralRoutes(e)
	a.add(e, http.MethodGet, keysPath, a.keys)
	a.add(e, http.MethodGet, openAPIPath, a.openAPI)
	a.add(e, http.MethodGet, docsPath, docs.index)
	a.add(e, http.MethodGet, docsPath+"/*", docs.asset)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		a.add(e, method, "/healthz", a.healthz)
		a.add(e, method, "/readyz", a.readyz)
	}
	e.RouteNotFound(aliasPath, a.alias)
	return nil
}

// add registers a handler behind the size check, and its method for the Allow header.
func (a *api) add(e *echo.Echo, method, path string, h echo.HandlerFunc) {
	a.methods[path] = append(a.methods[path], method)
	e.Add(method, path, func(c echo.Context) error {
		r := c.Request()
		httpkit.Of(r.Context()).Enter(r, c.Path())
		if err := httpkit.CheckSize(r, a.MaxURL, a.MaxBody); err != nil {
			return err //nolint:wrapcheck // a refusal goes to the client as it is
		}
		return h(c)
	})
	if method != http.MethodOptions && !slices.Contains(a.methods[path], http.MethodOptions) {
		// The framework would answer OPTIONS by itself, with methods that are not ours.
		e.Add(http.MethodOptions, path, func(c echo.Context) error {
			httpkit.Of(c.Request().Context()).Enter(c.Request(), c.Path())
			return httpkit.MethodNotAllowed(a.methods[path])
		})
	}
}

// fail is the one place where errors become replies.
func (a *api) fail(err error, c echo.Context) {
	r := c.Request()
	if h, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch h.Code {
		case http.StatusNotFound:
			err = httpkit.NotFound()
		case http.StatusMethodNotAllowed:
			httpkit.Of(r.Context()).Enter(r, c.Path())
			err = httpkit.MethodNotAllowed(a.methods[c.Path()])
		}
	}
	a.failNative(c.Response(), r, err)
}

// clientIP trusts X-Forwarded-For from the named proxies only. The framework's own defaults trust every
// private address.
func clientIP(proxies []netip.Prefix) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range proxies {
		options = append(options, echo.TrustIPRange(&net.IPNet{
			IP: p.Masked().Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		}))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}
