package provider

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// keptHeaders are those of an answer whose value a plugin may need to understand it.
var keptHeaders = []string{"Content-Type", "Date", "Retry-After"}

// sealedWord stands for the sealed part of an answer. It survives in JSON, in a form and as a whole body.
func sealedWord(i int) string { return "payrack-sealed-" + strconv.Itoa(i) }

// snapshot copies the traffic: a plugin may go on to use its buffers.
func (r *recording) snapshot() []*providerv1.Traffic {
	r.mu.Lock()
	all := slices.Clone(r.traffic)
	r.mu.Unlock()
	out := make([]*providerv1.Traffic, len(all))
	for i, t := range all {
		out[i] = t.toWire()
	}
	return out
}

func (t *traffic) toWire() *providerv1.Traffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := &providerv1.Traffic{
		Method: t.method, Host: t.host, Path: t.path, Query: t.query, HeaderNames: headerNames(t.header),
		Body: bytes.Clone(t.body), Sealed: t.sealed,
	}
	if t.sealed {
		out.Body, out.Envelope = bytes.Clone(t.clear), envelopeOf(t.body)
	}
	switch {
	case t.response != nil:
		out.Came = &providerv1.Traffic_Response{Response: t.responseToWire()}
	case t.failure != nil:
		out.Came = &providerv1.Traffic_Failure{Failure: trafficFailureToWire(t.failure)}
	default: // the call ended before its request did
		out.Came = &providerv1.Traffic_Failure{Failure: trafficFailureToWire(&SendError{Sent: true, Reason: ReasonTimeout, text: "no answer in time"})}
	}
	return out
}

func (t *traffic) responseToWire() *providerv1.TrafficResponse {
	res := t.response
	out := &providerv1.TrafficResponse{Status: toUint32(res.Status), Body: bytes.Clone(res.Body), SignatureWrong: t.signatureWrong}
	for _, name := range keptHeaders {
		if v := res.Header.Get(name); v != "" {
			out.Headers = append(out.Headers, &providerv1.Header{Name: name, Value: v})
		}
	}
	for i, part := range t.opened {
		word := sealedWord(i)
		out.Opened = append(out.Opened, &providerv1.Opened{Word: word, Clear: bytes.Clone(part.clear), Failed: part.failed})
		for _, form := range spellings(string(part.sealed)) {
			out.Body = bytes.ReplaceAll(out.GetBody(), []byte(form), []byte(word))
		}
	}
	return out
}

// spellings are the ways in which a text may stand in a message: as it is, in JSON as PHP writes it, and in a form.
func spellings(text string) []string {
	if text == "" {
		return nil
	}
	out := []string{text}
	for _, form := range []string{strings.ReplaceAll(text, "/", `\/`), url.QueryEscape(text), url.PathEscape(text)} {
		if !slices.Contains(out, form) {
			out = append(out, form)
		}
	}
	return out
}

func trafficFailureToWire(e *SendError) *providerv1.TrafficFailure {
	out := &providerv1.TrafficFailure{
		Effect: providerv1.Effect_EFFECT_NONE, Reason: reasonNumbers[e.Reason], Status: toUint32(e.Status), Detail: clean(e.text, maxDetail),
	}
	if e.Sent {
		out.Effect = providerv1.Effect_EFFECT_POSSIBLE
	}
	return out
}

func headerNames(h http.Header) []string {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// envelopeOf names the members of what a sealed body was sent in, without their values.
func envelopeOf(body []byte) []string {
	var names []string
	var walk func(prefix string, raw json.RawMessage)
	walk = func(prefix string, raw json.RawMessage) {
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil || members == nil {
			names = append(names, prefix)
			return
		}
		for name, value := range members {
			walk(prefix+"/"+name, value)
		}
	}
	if json.Valid(body) {
		walk("", body)
	} else if form, err := url.ParseQuery(string(body)); err == nil && bytes.ContainsRune(body, '=') {
		for name := range form {
			names = append(names, "/"+name)
		}
	}
	slices.Sort(names)
	return names
}
