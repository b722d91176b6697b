package adminapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/ports/inbound"
)

// Options sets up the admin plane.
type Options struct {
	Access    inbound.Access
	Directory inbound.Directory
	Releases  inbound.Releases
	Channels  inbound.Channels
	// Rehearsals compares releases; nil leaves the route out.
	Rehearsals inbound.Rehearsals
	Records    inbound.Records
	Recovery   inbound.Recovery
	Log        *slog.Logger
	// Catalogue explains what a credential set must look like; nil gives no explanations.
	Catalogue inbound.Catalogue
	// Runtime says what this process does about a provider; nil leaves it out.
	Runtime func(name string) Runtime

	// Webhooks and Deliveries tell companies of their payments, Audit reads the evidence; nil leaves their routes out.
	Webhooks   inbound.Webhooks
	Deliveries inbound.Deliveries
	Audit      inbound.Audit

	// UploadDir is the folder of uploads while they are received, the system's temporary folder if it is empty.
	UploadDir string

	// Metrics serves /metrics; nil leaves the route out.
	Metrics http.Handler
	// MetricsOpen serves /metrics without a token, for scrapers on a closed network.
	MetricsOpen bool
	// Pprof serves /debug/pprof. Profiles can hold secrets of the memory; the token is always needed.
	Pprof bool
	// TraceID reads the trace of a request from its context; nil means no traces.
	TraceID func(context.Context) string
	// Middleware wraps the routes where the query is gone already; Request.Pattern holds method and route
	// template when the inner handler has returned. May be nil.
	Middleware func(http.Handler) http.Handler
}

// Runtime is what one process does about a provider.
type Runtime struct {
	// Phase is idle, serving, restarting, quarantined, disabled or closed.
	Phase string
	// Detail is why, Remedy what ends it; empty if there is nothing to say.
	Detail string
	Remedy string
}

// ServerOptions sets up the server of the plane.
type ServerOptions struct {
	// WriteTimeout bounds a request from its header to the end of its reply; it must be longer than an
	// activation and than a profile.
	WriteTimeout time.Duration
	Log          *slog.Logger
}

// NewServer returns a server with the limits of the plane. The caller listens and shuts down.
func NewServer(h http.Handler, o ServerOptions) *http.Server {
	return httpkit.NewServer(h, httpkit.ServerOptions{WriteTimeout: o.WriteTimeout, Log: o.Log})
}

type api struct {
	Options
	methods map[string][]string
	// uploads is full while no more uploads are taken.
	uploads chan struct{}
}

// maxBody bounds a request, in bytes.
const maxBody = 64 << 10

// New returns the handler of the admin plane.
func New(o Options) (http.Handler, error) {
	if o.Access == nil || o.Directory == nil || o.Releases == nil || o.Channels == nil || o.Records == nil || o.Recovery == nil || o.Log == nil {
		return nil, errors.New("adminapi: Access, Directory, Releases, Channels, Records, Recovery and Log are required")
	}
	a := &api{Options: o, methods: make(map[string][]string), uploads: make(chan struct{}, maxUploads)}
	e := echo.New()
	e.Logger.SetOutput(io.Discard) // nothing of ours uses it, and it would write to stdout
	e.HTTPErrorHandler = a.fail
	e.IPExtractor = echo.ExtractIPDirect()
	a.routes(e)
	shell := httpkit.Shell{
		Plane: "admin", Log: o.Log, TraceID: o.TraceID, ClientIP: e.IPExtractor, Middleware: o.Middleware,
	}
	return shell.Handler(e), nil
}

const (
	prefix      = "/admin/v1"
	installPath = prefix + "/plugins/releases"
)

func (a *api) routes(e *echo.Echo) {
	a.add(e, http.MethodGet, "/healthz", func(c echo.Context) error {
		httpkit.WriteJSON(c.Response(), http.StatusOK, map[string]string{"status": "ok"})
		return nil
	})
	a.pluginRoutes(e)
	if a.Catalogue != nil {
		a.add(e, http.MethodGet, prefix+"/types", a.admin(a.types))
	}
	a.add(e, http.MethodGet, prefix+"/companies", a.admin(a.companies))
	a.add(e, http.MethodPost, prefix+"/companies", a.admin(a.addCompany))
	a.add(e, http.MethodPatch, prefix+"/companies/:id", a.admin(a.saveCompany))
	a.add(e, http.MethodGet, prefix+"/stores", a.admin(a.stores))
	a.add(e, http.MethodPost, prefix+"/stores", a.admin(a.addStore))
	a.add(e, http.MethodGet, prefix+"/credentials", a.admin(a.credentials))
	a.add(e, http.MethodPost, prefix+"/credentials", a.admin(a.putCredential))
	a.add(e, http.MethodPatch, prefix+"/credentials/:id", a.admin(a.saveCredential))
	a.add(e, http.MethodGet, prefix+"/clients", a.admin(a.clients))
	a.add(e, http.MethodPost, prefix+"/clients", a.admin(a.addClient))
	a.add(e, http.MethodPatch, prefix+"/clients/:id", a.admin(a.saveClient))
	a.webhookRoutes(e)
	a.auditRoutes(e)
	a.add(e, http.MethodGet, prefix+"/payments", a.admin(a.payments))
	a.add(e, http.MethodGet, prefix+"/payments/:id", a.admin(a.payment))
	a.add(e, http.MethodPost, prefix+"/payments/:id/recheck", a.admin(a.recheck))
	a.add(e, http.MethodPost, prefix+"/payments/:id/review", a.admin(a.review))
	if a.Metrics != nil {
		metrics := echo.WrapHandler(a.Metrics)
		if !a.MetricsOpen {
			metrics = a.admin(func(c echo.Context, _ access.Principal) error { return echo.WrapHandler(a.Metrics)(c) })
		}
		a.add(e, http.MethodGet, "/metrics", metrics)
	}
	if a.Pprof {
		a.profiles(e)
	}
}

// pluginRoutes are the releases of providers and which of them serve.
func (a *api) pluginRoutes(e *echo.Echo) {
	const one = prefix + "/plugins/:name"
	a.add(e, http.MethodGet, prefix+"/plugins", a.admin(a.plugins))
	a.add(e, http.MethodPost, installPath, a.admin(a.install))
	a.add(e, http.MethodDelete, one+"/releases/:version", a.admin(a.remove))
	a.add(e, http.MethodPost, one+"/releases/:version/revoke", a.admin(a.revoke))
	a.add(e, http.MethodPost, one+"/activate", a.admin(a.activate))
	a.add(e, http.MethodPost, one+"/canary", a.admin(a.canary))
	a.add(e, http.MethodPost, one+"/promote", a.admin(a.promote))
	a.add(e, http.MethodPost, one+"/rollback", a.admin(a.rollback))
	a.add(e, http.MethodPost, one+"/disable", a.admin(a.disable))
	a.add(e, http.MethodPost, one+"/enable", a.admin(a.enable))
	a.add(e, http.MethodGet, one+"/events", a.admin(a.events))
	if a.Rehearsals != nil {
		a.add(e, http.MethodPost, one+"/diff", a.admin(a.diff))
	}
}

// profiles serves Go's profiles. They read their parameters from the query, which is put back for them: it
// holds numbers, and the handlers do not log.
func (a *api) profiles(e *echo.Echo) {
	for path, h := range map[string]http.HandlerFunc{
		"": pprof.Index, "/cmdline": pprof.Cmdline, "/profile": pprof.Profile, "/symbol": pprof.Symbol,
		"/trace": pprof.Trace, "/heap": pprof.Handler("heap").ServeHTTP, "/goroutine": pprof.Handler("goroutine").ServeHTTP,
		"/allocs": pprof.Handler("allocs").ServeHTTP, "/block": pprof.Handler("block").ServeHTTP,
		"/mutex": pprof.Handler("mutex").ServeHTTP, "/threadcreate": pprof.Handler("threadcreate").ServeHTTP,
	} {
		a.add(e, http.MethodGet, "/debug/pprof"+path, a.admin(func(c echo.Context, _ access.Principal) error {
			r := c.Request().Clone(c.Request().Context())
			r.URL.RawQuery = httpkit.Of(r.Context()).Query()
			h(c.Response(), r)
			return nil
		}))
	}
}

// add registers a handler behind the size check, and its method for the Allow header.
func (a *api) add(e *echo.Echo, method, path string, h echo.HandlerFunc) {
	first := len(a.methods[path]) == 0
	a.methods[path] = append(a.methods[path], method)
	slices.Sort(a.methods[path])
	limit := int64(maxBody)
	if path == installPath {
		limit = MaxUpload + maxInstall // the handler knows which of the two kinds of body it is
	}
	e.Add(method, path, func(c echo.Context) error {
		r := c.Request()
		httpkit.Of(r.Context()).Enter(r, c.Path())
		if err := httpkit.CheckSize(r, httpkit.MaxURL, limit); err != nil {
			return err //nolint:wrapcheck // a refusal goes to the client as it is
		}
		return h(c)
	})
	if first {
		// The framework would answer OPTIONS by itself, with methods that are not ours.
		e.Add(http.MethodOptions, path, func(c echo.Context) error {
			httpkit.Of(c.Request().Context()).Enter(c.Request(), c.Path())
			return httpkit.MethodNotAllowed(a.methods[path])
		})
	}
}

// principalHandler handles a request of a known operator.
type principalHandler func(c echo.Context, p access.Principal) error

// admin puts the token and the scope before a handler.
func (a *api) admin(h principalHandler) echo.HandlerFunc {
	return func(c echo.Context) error {
		p, err := httpkit.Authenticate(c.Request(), a.Access)
		if err != nil {
			return err //nolint:wrapcheck // a refusal goes to the client as it is
		}
		if err := httpkit.Require(p, access.Admin); err != nil {
			return err //nolint:wrapcheck // a refusal goes to the client as it is
		}
		return h(c, p)
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
	httpkit.WriteError(c.Response(), r, err)
}
