package adminapi

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
)

type releaseReply struct {
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	Status  string `json:"status"`
	// Source, SignedBy and ReportedBy say where the binary came from and who vouches for it; empty is nobody.
	Source      string    `json:"source"`
	SignedBy    string    `json:"signed_by"`
	ReportedBy  string    `json:"reported_by"`
	Size        int64     `json:"size"`
	InstalledAt time.Time `json:"installed_at"`
	InstalledBy string    `json:"installed_by"`
}

type installedReply struct {
	Name string `json:"name"`
	releaseReply
}

func releaseOf(r release.Release) releaseReply {
	return releaseReply{
		Version: r.Version, SHA256: r.SHA256, Status: string(r.Status), Source: r.Source, SignedBy: r.SignedBy, ReportedBy: r.ReportedBy,
		Size: r.Size, InstalledAt: r.InstalledAt.UTC(), InstalledBy: r.InstalledBy,
	}
}

// maxInstall bounds a request with a conformance report inside, in bytes: about a kilobyte for each check and payment type.
const maxInstall = 1 << 20

// install answers POST /admin/v1/plugins/releases: a binary that lies on the server or in a registry, or comes as the
// body itself.
func (a *api) install(c echo.Context, p access.Principal) error {
	if isUpload(c.Request()) {
		return a.upload(c, p)
	}
	command, err := installOf(c)
	if err != nil {
		return err
	}
	command.Actor = p.Client
	return a.installed(c, command)
}

// installOf reads the request that names a binary. report is the text of its signed conformance report, as it is in the
// file: the signature covers its bytes.
func installOf(c echo.Context) (inbound.InstallPlugin, error) {
	var body struct {
		Path      string `json:"path"`
		Reference string `json:"reference"`
		Signature string `json:"signature"`
		Report    string `json:"report"`
		Reason    string `json:"reason"`
	}
	limits := httpkit.DefaultJSON()
	limits.Text = maxInstall
	if err := readUpTo(c, maxInstall, limits, []string{"path", "reference", "signature", "report", "reason"}, &body); err != nil {
		return inbound.InstallPlugin{}, err
	}
	switch {
	case body.Path != "" && body.Reference != "":
		return inbound.InstallPlugin{}, invalid("/reference", "conflicting_members", "Name a path on the server or an OCI reference, not both.")
	case body.Reference == "":
		if err := require([2]string{"path", body.Path}); err != nil {
			return inbound.InstallPlugin{}, err
		}
	}
	if err := checkReason(body.Reason); err != nil {
		return inbound.InstallPlugin{}, err
	}
	command := inbound.InstallPlugin{Path: body.Path, Reference: body.Reference, Reason: body.Reason}
	if body.Signature != "" {
		command.Signature = []byte(body.Signature)
	}
	if body.Report != "" {
		command.Report = []byte(body.Report)
	}
	return command, nil
}

// installed installs and answers with the release.
func (a *api) installed(c echo.Context, command inbound.InstallPlugin) error {
	r, err := a.Releases.Install(c.Request().Context(), command)
	if err != nil {
		return refused(err)
	}
	httpkit.WriteJSON(c.Response(), http.StatusCreated, installedReply{r.Name, releaseOf(r)})
	return nil
}

// revoke takes a release out of service everywhere, for good.
func (a *api) revoke(c echo.Context, p access.Principal) error {
	o, err := releaseOrder(c, p)
	if err != nil {
		return err
	}
	if o.Reason, err = readReason(c); err != nil {
		return err
	}
	r, err := a.Releases.Revoke(c.Request().Context(), o)
	if err != nil {
		return refused(lostBinary(err))
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, installedReply{r.Name, releaseOf(r)})
	return nil
}

// remove forgets a release that nothing needs.
func (a *api) remove(c echo.Context, p access.Principal) error {
	o, err := releaseOrder(c, p)
	if err != nil {
		return err
	}
	if o.Reason, err = readReason(c); err != nil {
		return err
	}
	if err := a.Releases.Remove(c.Request().Context(), o); err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	c.Response().WriteHeader(http.StatusNoContent)
	return nil
}

func releaseOrder(c echo.Context, p access.Principal) (inbound.ReleaseOrder, error) {
	name, err := plugin(c)
	return inbound.ReleaseOrder{Name: name, Version: c.Param("version"), Actor: p.Client}, err
}
