package adminapi

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
)

type pluginsReply struct {
	Plugins []pluginReply `json:"plugins"`
}

type pluginReply struct {
	Name      string          `json:"name"`
	Channel   channelReply    `json:"channel"`
	Releases  []releaseReply  `json:"releases"`
	Instances []instanceReply `json:"instances"`
	Types     []string        `json:"types"`
	Runtime   *runtimeReply   `json:"runtime,omitempty"`
}

type runtimeReply struct {
	Phase  string `json:"phase"`
	Detail string `json:"detail,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

type channelReply struct {
	Stable     string `json:"stable"`
	Candidate  string `json:"candidate"`
	Weight     int    `json:"weight"`
	Phase      string `json:"phase"`
	Generation int64  `json:"generation"`
}

type releaseReply struct {
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	Status  string `json:"status"`
}

type instanceReply struct {
	ID        string    `json:"id"`
	Version   string    `json:"version"`
	SHA256    string    `json:"sha256"`
	PID       int       `json:"pid"`
	State     string    `json:"state"`
	Inflight  int       `json:"inflight"`
	StartedAt time.Time `json:"started_at"`
}

type installedReply struct {
	Name string `json:"name"`
	releaseReply
	Size        int64     `json:"size"`
	InstalledAt time.Time `json:"installed_at"`
	InstalledBy string    `json:"installed_by"`
}

type activationReply struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Previous   string `json:"previous"`
	Generation int64  `json:"generation"`
	TookMS     int64  `json:"took_ms"`
}

func (a *api) plugins(c echo.Context, _ access.Principal) error {
	all, err := a.Plugins.Status(c.Request().Context())
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	reply := pluginsReply{Plugins: make([]pluginReply, 0, len(all))}
	for _, s := range all {
		one := pluginOf(s)
		if a.Runtime != nil {
			r := a.Runtime(s.Name)
			one.Runtime = &runtimeReply{r.Phase, r.Detail, r.Remedy}
		}
		reply.Plugins = append(reply.Plugins, one)
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, reply)
	return nil
}

func pluginOf(s inbound.PluginStatus) pluginReply {
	p := pluginReply{
		Name: s.Name,
		Channel: channelReply{
			Stable: s.Channel.Stable, Phase: phaseOf(s.Channel), Generation: s.Channel.Generation,
		},
		Releases:  make([]releaseReply, 0, len(s.Releases)),
		Instances: make([]instanceReply, 0, len(s.Instances)),
		Types:     append(make([]string, 0, len(s.Types)), s.Types...),
	}
	for _, r := range s.Releases {
		p.Releases = append(p.Releases, releaseOf(r))
	}
	for _, i := range s.Instances {
		p.Instances = append(p.Instances, instanceReply{
			ID: i.ID, Version: i.Version, SHA256: i.SHA256, PID: i.PID, State: i.State, Inflight: i.Inflight,
			StartedAt: i.StartedAt.UTC(),
		})
	}
	return p
}

func phaseOf(c release.Channel) string {
	if !c.Enabled {
		return "disabled"
	}
	return "idle"
}

func releaseOf(r release.Release) releaseReply {
	return releaseReply{Version: r.Version, SHA256: r.SHA256, Status: string(r.Status)}
}

// maxInstall bounds a request with a conformance report inside, in bytes: about a kilobyte for each check and payment type.
const maxInstall = 1 << 20

// install takes a binary that lies on the server. report is the text of its signed conformance report, as it is in the
// file: the signature covers its bytes.
func (a *api) install(c echo.Context, p access.Principal) error {
	var body struct {
		Path   string `json:"path"`
		Report string `json:"report"`
	}
	limits := httpkit.DefaultJSON()
	limits.Text = maxInstall
	if err := readUpTo(c, maxInstall, limits, []string{"path", "report"}, &body); err != nil {
		return err
	}
	if err := require([2]string{"path", body.Path}); err != nil {
		return err
	}
	command := inbound.InstallPlugin{Path: body.Path, Actor: p.Client}
	if body.Report != "" {
		command.Report = []byte(body.Report)
	}
	r, err := a.Plugins.Install(c.Request().Context(), command)
	if err != nil {
		return refused(err)
	}
	httpkit.WriteJSON(c.Response(), http.StatusCreated, installedReply{
		Name: r.Name, releaseReply: releaseOf(r), Size: r.Size, InstalledAt: r.InstalledAt.UTC(), InstalledBy: r.InstalledBy,
	})
	return nil
}

var pluginName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// activate moves the traffic of a provider to a release. The release before goes on if it is refused.
func (a *api) activate(c echo.Context, p access.Principal) error {
	name := c.Param("name")
	if !pluginName.MatchString(name) {
		return fault.New(fault.NotFound, "plugin_not_found", "There is no such plugin.")
	}
	var body struct {
		Version string `json:"version"`
		Reason  string `json:"reason"`
	}
	if err := read(c, []string{"version", "reason"}, &body); err != nil {
		return err
	}
	if err := require([2]string{"version", body.Version}); err != nil {
		return err
	}
	done, err := a.Plugins.Activate(c.Request().Context(), inbound.ActivatePlugin{
		Name: name, Version: body.Version, Actor: p.Client, Reason: body.Reason,
	})
	if err != nil {
		return refused(lostBinary(err))
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, activationReply{
		Name: done.Name, Version: done.Version, Previous: done.Previous, Generation: done.Generation,
		TookMS: done.Took.Milliseconds(),
	})
	return nil
}

// lostBinary says about an installed release what was found out about its file: it is not the one that was installed.
func lostBinary(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || (f.Code != "binary_missing" && f.Code != "binary_damaged") {
		return err
	}
	return fault.Wrap(fault.Invalid, "digest_mismatch",
		"The stored binary of the release is not the one that was installed ("+f.Message+"): install it again.", err)
}

// refused answers 422 for what a release itself is refused for: repeating the request does not help, and the
// request was not wrong.
func refused(err error) error {
	code := fault.CodeOf(err)
	if !slices.Contains([]string{
		"digest_mismatch", "signature_invalid", "protocol_unsupported", "start_crashed", "start_timeout",
		"info_mismatch", "capability_missing", "unhealthy", "report_missing", "report_invalid",
	}, code) {
		return err
	}
	message := "The release was refused."
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Message != "" {
		message = f.Message
	}
	return &httpkit.RefusalError{Status: http.StatusUnprocessableEntity, Code: code, Message: message}
}
