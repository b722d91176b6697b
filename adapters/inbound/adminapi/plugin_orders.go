package adminapi

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
)

type activationReply struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Previous   string `json:"previous"`
	Generation int64  `json:"generation"`
	TookMS     int64  `json:"took_ms"`
}

var pluginName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// plugin is the name in the path.
func plugin(c echo.Context) (string, error) {
	name := c.Param("name")
	if !pluginName.MatchString(name) {
		return "", fault.New(fault.NotFound, "plugin_not_found", "There is no such plugin.")
	}
	return name, nil
}

// maxReason is the longest reason of an order, in characters.
const maxReason = 500

func checkReason(reason string) error {
	if utf8.RuneCountInString(reason) > maxReason {
		return invalid("/reason", "too_long", "reason has at most 500 characters.")
	}
	// One that came in a header was percent-encoded, and can be any bytes.
	if !utf8.ValidString(reason) || strings.ContainsRune(reason, 0) {
		return invalid("/reason", "invalid_format", "reason is a text in UTF-8 without the character NUL.")
	}
	return nil
}

// activate moves the traffic of a provider to a release. The release before goes on if it is refused.
func (a *api) activate(c echo.Context, p access.Principal) error {
	name, err := plugin(c)
	if err != nil {
		return err
	}
	var body struct {
		Version string `json:"version"`
		Reason  string `json:"reason"`
		Force   bool   `json:"force"`
	}
	if err := read(c, []string{"version", "reason", "force"}, &body); err != nil {
		return err
	}
	if err := errors.Join(require([2]string{"version", body.Version}), checkReason(body.Reason)); err != nil {
		return err
	}
	return activated(c)(a.Channels.Activate(c.Request().Context(), inbound.ActivatePlugin{
		Name: name, Version: body.Version, Actor: p.Client, Reason: body.Reason, Force: body.Force,
	}))
}

// maxStores bounds the stores of a canary.
const maxStores = 1000

// canary gives a release a share of the payments, or changes the share.
func (a *api) canary(c echo.Context, p access.Principal) error {
	name, err := plugin(c)
	if err != nil {
		return err
	}
	var body struct {
		Version string   `json:"version"`
		Weight  *int     `json:"weight"`
		Stores  []string `json:"stores"`
		Reason  string   `json:"reason"`
		Force   bool     `json:"force"`
	}
	if err := read(c, []string{"version", "weight", "stores", "reason", "force"}, &body); err != nil {
		return err
	}
	if err := errors.Join(require([2]string{"version", body.Version}), checkReason(body.Reason)); err != nil {
		return err
	}
	weight := 0
	switch {
	case body.Weight == nil && len(body.Stores) == 0:
		return invalid("/weight", "missing_field", "A canary needs a weight, 0 to 100 percent of the payments, or stores, or both.")
	case body.Weight != nil && (*body.Weight < 0 || *body.Weight > 100):
		return invalid("/weight", "out_of_range", "weight is a number of percent, 0 to 100.")
	case len(body.Stores) > maxStores:
		return invalid("/stores", "too_long", "stores has at most 1000 members; use a weight for more.")
	case slices.Contains(body.Stores, ""):
		return invalid("/stores", "invalid_format", "A store has an id.")
	case body.Weight != nil:
		weight = *body.Weight
	}
	return activated(c)(a.Channels.Canary(c.Request().Context(), inbound.CanaryPlugin{
		Name: name, Version: body.Version, Weight: weight, Stores: body.Stores, Actor: p.Client, Reason: body.Reason, Force: body.Force,
	}))
}

// promote makes the candidate stable.
func (a *api) promote(c echo.Context, p access.Principal) error {
	return a.order(c, p, a.Channels.Promote)
}

// rollback takes the candidate's share away, or brings the release before back.
func (a *api) rollback(c echo.Context, p access.Principal) error {
	return a.order(c, p, a.Channels.Rollback)
}

func (a *api) order(c echo.Context, p access.Principal, do func(context.Context, inbound.PluginOrder) (release.Activation, error)) error {
	o, err := readOrder(c, p)
	if err != nil {
		return err
	}
	return activated(c)(do(c.Request().Context(), o))
}

// disable stops new payments of a provider; open ones are followed up all the same.
func (a *api) disable(c echo.Context, p access.Principal) error { return a.setEnabled(c, p, false) }

// enable takes new payments up again.
func (a *api) enable(c echo.Context, p access.Principal) error { return a.setEnabled(c, p, true) }

func (a *api) setEnabled(c echo.Context, p access.Principal, enabled bool) error {
	o, err := readOrder(c, p)
	if err != nil {
		return err
	}
	channel, err := a.Channels.SetEnabled(c.Request().Context(), o, enabled)
	if err != nil {
		return refused(lostBinary(err))
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, struct {
		Name    string       `json:"name"`
		Channel channelReply `json:"channel"`
	}{o.Name, channelOf(channel)})
	return nil
}

// readOrder reads an order that has nothing but a reason. Its body may be missing.
func readOrder(c echo.Context, p access.Principal) (inbound.PluginOrder, error) {
	name, err := plugin(c)
	if err != nil {
		return inbound.PluginOrder{}, err
	}
	reason, err := readReason(c)
	return inbound.PluginOrder{Name: name, Actor: p.Client, Reason: reason}, err
}

func readReason(c echo.Context) (string, error) {
	if c.Request().ContentLength == 0 {
		return "", nil
	}
	var body struct {
		Reason string `json:"reason"`
	}
	if err := read(c, []string{"reason"}, &body); err != nil {
		return "", err
	}
	return body.Reason, checkReason(body.Reason)
}

// activated answers with what an order did.
func activated(c echo.Context) func(release.Activation, error) error {
	return func(done release.Activation, err error) error {
		if err != nil {
			return refused(lostBinary(err))
		}
		httpkit.WriteJSON(c.Response(), http.StatusOK, activationReply{
			Name: done.Name, Version: done.Version, Previous: done.Previous, Generation: done.Generation,
			TookMS: done.Took.Milliseconds(),
		})
		return nil
	}
}

// lostBinary says about an installed release what was found out about its file: it is not the one that was installed.
func lostBinary(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || (f.Code != "binary_missing" && f.Code != "binary_damaged") {
		return err
	}
	return fault.Wrap(fault.Invalid, "digest_mismatch",
		"The stored binary of the release is not the one that was installed ("+f.Message+"): install it again, through the replica that lacks it where that is another one.", err)
}

// refused answers 422 for what a release itself is refused for: repeating the request does not help, and the
// request was not wrong.
func refused(err error) error {
	code := fault.CodeOf(err)
	if !slices.Contains([]string{
		"digest_mismatch", "signature_invalid", "protocol_unsupported", "start_crashed", "start_timeout",
		"info_mismatch", "capability_missing", "unhealthy", "report_missing", "report_invalid",
		"artifact_invalid", "artifact_unreachable", "rehearsal_unsupported",
	}, code) {
		return err
	}
	message := "The release was refused."
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Message != "" {
		message = f.Message
	}
	return &httpkit.RefusalError{Status: http.StatusUnprocessableEntity, Code: code, Message: message}
}
