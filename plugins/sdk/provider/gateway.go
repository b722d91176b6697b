package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
)

// GatewaySettings are the settings of a provider that needs to know nothing but where its gateways are. Use it as
// the settings of Open, or embed it.
type GatewaySettings struct {
	Endpoints Endpoints `json:"endpoints" doc:"Gateways of live and of test payments."`
	// AllowHTTP lets requests go over http to another machine than this one.
	AllowHTTP bool `json:"allow_http" doc:"Allows http to a host that is not this machine. Secrets then travel in clear: for test networks only." default:"false"`
}

// Problems says in words for the operator what is wrong. An environment without an endpoint is not used.
func (s GatewaySettings) Problems() []string {
	return s.Endpoints.Problems(EndpointRules{Example: "https://api.example.com", Optional: true, AllowHTTP: s.AllowHTTP})
}

// JSONGateway speaks to a gateway that takes and answers JSON objects. The provider keeps one; it has no state.
type JSONGateway struct {
	Endpoints Endpoints
	HTTP      *Client
	// Sign returns the headers that prove who we are, made from the credential of the call and from the very bytes
	// that are sent. The text of its error reaches the operator: it must hold no secret. Nil adds no header.
	Sign func(call Call, r Unsigned) (http.Header, error)
	// Statuses are those other than 2xx whose body is an answer like any other, such as 402 for a decline. Name only
	// what the gateway documents: its proxy may answer with the same status and another body, which then cannot be
	// read and is unknown.
	Statuses []int
}

// Unsigned is a request before it is signed.
type Unsigned struct {
	Method string
	// Path with its leading slash, percent-encoded as it is sent, without the endpoint's own path.
	Path string
	// Query as it is sent, without the question mark.
	Query string
	// Body as it is sent, or nil.
	Body []byte
}

// JSONRequest is one request to a JSONGateway.
type JSONRequest struct {
	// Method in capitals.
	Method string
	// Path below the endpoint, percent-encoded where it holds a value (url.PathEscape).
	Path string
	// Template names the request in traces: Path without values. Empty is Path, which must then hold none.
	Template string
	// Query may be nil.
	Query url.Values
	// Message becomes the JSON body; nil sends none.
	Message any
	// Answer is where the answer is read into, see ReadJSON.
	Answer any
}

// Ask sends the request to the endpoint of the call's environment, once, and reads the answer. Native is the answer
// for the client, byte for byte.
func (g *JSONGateway) Ask(ctx context.Context, call Call, r JSONRequest) (Native, *Failure) {
	endpoint, err := g.Endpoints.Of(call.Environment)
	if err != nil {
		return Native{}, NothingSent(ReasonInvalid, err)
	}
	u := Unsigned{Method: r.Method, Path: r.Path, Query: r.Query.Encode()}
	if r.Message != nil {
		if u.Body, err = writeJSON(r.Message); err != nil {
			return Native{}, NothingSent(ReasonInternal, err)
		}
	}
	out := Request{Method: r.Method, URL: endpoint.String() + r.Path, Template: r.Template, Body: u.Body}
	if out.Template == "" {
		out.Template = r.Path
	}
	if u.Query != "" {
		out.URL += "?" + u.Query
	}
	if g.Sign != nil {
		if out.Header, err = g.Sign(call, u); err != nil {
			return Native{}, NothingSent(ReasonAuth, err)
		}
	}
	res, failure := g.HTTP.exchange(ctx, call, out, g.Statuses)
	if failure == nil {
		failure = res.Read(r.Answer)
	}
	if failure != nil {
		return Native{}, failure
	}
	return res.Native(), nil
}

// writeJSON writes UTF-8 and <, > and & as they are, which gateways that sign over text expect.
func writeJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, errors.New("the message has no JSON form")
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}
