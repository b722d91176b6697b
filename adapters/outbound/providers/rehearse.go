package providers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"strconv"
	"strings"

	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/ports/outbound"
)

// Rehearsals replays recorded exchanges with the plugins' own settings.
func (p *Providers) Rehearsals(e *Exchanges) outbound.Rehearser { return rehearser{p, e} }

type rehearser struct {
	providers *Providers
	exchanges *Exchanges
}

// Recorded lists what there is to rehearse.
func (r rehearser) Recorded(_ context.Context, name string, last int) ([]string, error) {
	return r.exchanges.newest(name, last), nil
}

// Rehearse starts the release and gives it the exchanges.
func (r rehearser) Rehearse(ctx context.Context, version release.Release, ids []string) ([]release.Rehearsed, error) {
	settings := r.providers.settings[version.Name]
	if len(settings) == 0 {
		settings = json.RawMessage("{}")
	}
	stage, err := r.providers.host.Rehearse(ctx, host.Release{
		Name: version.Name, Version: version.Version, Path: r.providers.pathOf(version), SHA256: version.SHA256,
	}, settings)
	if err != nil {
		return nil, refusal(err)
	}
	defer stage.Close() //nolint:contextcheck // its process ends also if the order was given up
	out := make([]release.Rehearsed, 0, len(ids))
	for _, id := range ids {
		if ctx.Err() != nil {
			return nil, ctx.Err() //nolint:wrapcheck // the caller's own
		}
		file, err := r.exchanges.read(version.Name, id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // its time was up meanwhile
		}
		done := release.Rehearsed{Exchange: id, Operation: file.Operation, PaymentType: file.PaymentType}
		var played host.Played
		if err == nil {
			played, err = stage.Play(ctx, file.Exchange)
		}
		if err != nil {
			done.Failed = err.Error()
		} else {
			done = rehearsed(done, played)
		}
		out = append(out, done)
	}
	return out, nil
}

// rehearsed lays out what a version did, member by member.
func rehearsed(out release.Rehearsed, p host.Played) release.Rehearsed {
	out.Recorded, out.Dialled = p.Recorded, p.Dials
	out.Native = members(p.Native)
	out.Read = members(p.Reply)
	for _, s := range p.Sent {
		out.Sent = append(out.Sent, release.Sent{
			Method: s.Method, Host: s.Host, Path: s.Path, Query: formMembers(s.Query), Body: bodyMembers(s.Body),
			Envelope: s.Envelope, Headers: s.Headers,
		})
	}
	return out
}

// bodyMembers lays a body out, in whatever shape it is.
func bodyMembers(body []byte) map[string]string {
	switch {
	case len(body) == 0:
		return nil
	case json.Valid(body):
		return members(body)
	}
	if text := string(body); strings.Contains(text, "=") && !strings.ContainsAny(text, "<\n ") {
		return formMembers(text)
	}
	return map[string]string{"": string(body)}
}

func formMembers(query string) map[string]string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return map[string]string{"": query}
	}
	out := make(map[string]string, len(values))
	for name, all := range values {
		out[name] = strings.Join(all, ", ")
	}
	return out
}

// maxMembers bounds how much of one document is compared; a payment has some dozens.
const maxMembers = 5000

// members lays a JSON document out: from the place of every value, as a JSON pointer, to its token. A text and a number
// of the same digits differ.
func members(doc []byte) map[string]string {
	if len(doc) == 0 {
		return nil
	}
	out := map[string]string{}
	place("", bytes.TrimSpace(doc), out)
	return out
}

var escaped = strings.NewReplacer("~", "~0", "/", "~1")

func place(at string, raw json.RawMessage, out map[string]string) {
	if len(out) >= maxMembers {
		return
	}
	var object map[string]json.RawMessage
	var list []json.RawMessage
	switch {
	case len(raw) > 0 && raw[0] == '{' && json.Unmarshal(raw, &object) == nil && len(object) > 0:
		for name, value := range object {
			place(at+"/"+escaped.Replace(name), value, out)
		}
	case len(raw) > 0 && raw[0] == '[' && json.Unmarshal(raw, &list) == nil && len(list) > 0:
		for i, value := range list {
			place(at+"/"+strconv.Itoa(i), value, out)
		}
	default:
		out[at] = string(raw)
	}
}
