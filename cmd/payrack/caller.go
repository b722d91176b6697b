package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// callTimeout is longer than the longest answer that a plane may take, uploadTimeout than the longest upload.
const (
	callTimeout   = 2 * time.Minute
	uploadTimeout = 15 * time.Minute
)

// largestAnswer bounds what is read of an answer.
const largestAnswer = 8 << 20

// caller sends requests to one plane.
type caller struct {
	base string
	// token is sent as a bearer token if it is not empty.
	token string
	// connections are kept for the next request if it is not nil; a command that sends thousands would run out of ports.
	connections http.RoundTripper
}

// call is one request.
type call struct {
	method string
	path   string
	// query is sent as it is.
	query string
	// body is sent as JSON, form as a form.
	body   []byte
	form   url.Values
	header http.Header
	// stream is sent instead of a body, length bytes long; its media type stands in header.
	stream io.Reader
	length int64
	// timeout is callTimeout if it is zero.
	timeout time.Duration
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends one request. An answer of any status is no error; no answer is one with exit code 4.
func (c *caller) send(ctx context.Context, r call) (answer, error) {
	base, err := url.Parse(c.base)
	if err != nil || base.Host == "" {
		return answer{}, usagef("%q is no address: write it as http://127.0.0.1:8081", c.base)
	}
	var body io.Reader
	switch {
	case r.stream != nil:
		body = io.NopCloser(r.stream)
	case r.body != nil:
		body = bytes.NewReader(r.body)
	case r.form != nil:
		body = strings.NewReader(r.form.Encode())
	}
	request, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path, body)
	if err != nil {
		return answer{}, usagef("%q is no address: %w", c.base+r.path, err)
	}
	request.URL.RawQuery = r.query
	maps.Copy(request.Header, r.header)
	if r.stream != nil {
		request.ContentLength = r.length
	}
	if r.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if r.form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	client := &http.Client{
		Timeout:       cmp.Or(r.timeout, callTimeout),
		Transport:     c.transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // the outer error repeats the query, which may hold a secret
		}
		return answer{}, unreachablef("%s does not answer: %w; is it running?", c.base, err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end or not needed
	read, err := io.ReadAll(io.LimitReader(response.Body, largestAnswer))
	if err != nil {
		return answer{}, unreachablef("%s broke off its answer: %w", c.base, err)
	}
	return answer{response.StatusCode, response.Header, read}, nil
}

func (c *caller) transport() http.RoundTripper {
	if c.connections != nil {
		return c.connections
	}
	return &http.Transport{DisableKeepAlives: true, Proxy: nil}
}

// ask sends JSON and reads JSON into out; an answer that is no success is an error with exit code 3.
func (c *caller) ask(ctx context.Context, method, path string, in, out any) error {
	r := call{method: method}
	r.path, r.query, _ = strings.Cut(path, "?")
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("write the request: %w", err)
		}
		r.body = body
	}
	return c.exchange(ctx, r, out)
}

// exchange sends a request and reads JSON into out; an answer that is no success is an error with exit code 3.
func (c *caller) exchange(ctx context.Context, r call, out any) error {
	a, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	if a.status < 200 || a.status > 299 {
		return a.refusal()
	}
	if out == nil {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	decoder.UseNumber() // an amount is no float
	if err := decoder.Decode(out); err != nil {
		return fmt.Errorf("%s answered what cannot be read: %w", c.base, err)
	}
	return nil
}

// refusal is the answer as an error for people.
func (a answer) refusal() error {
	var p struct {
		Detail    string `json:"detail"`
		Message   string `json:"message"`
		Code      string `json:"code"`
		RequestID string `json:"request_id"`
		Errors    []struct {
			Pointer string `json:"pointer"`
			Code    string `json:"code"`
			Detail  string `json:"detail"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(a.body, &p); err != nil || p.Code == "" {
		return a.end("answered with HTTP status %d and no problem document", a.status)
	}
	text := p.Detail
	if text == "" {
		text = p.Message
	}
	for _, e := range p.Errors {
		text += "\n  " + e.Pointer + ": " + e.Code
		if e.Detail != "" {
			text += ", " + e.Detail
		}
	}
	switch {
	case a.status == http.StatusUnauthorized:
		text += "\n  get a token with payrack token; for the admin plane payrack token --admin, where the keys are"
	case p.Code == "company_suspended":
		text += "\n  payrack company resume lets it in again"
	case a.status == http.StatusForbidden:
		text += "\n  the token lacks a scope for this"
	}
	where := fmt.Sprintf("%s, status %d", p.Code, a.status)
	if p.RequestID != "" {
		where += ", request " + p.RequestID
	}
	if a.status >= http.StatusInternalServerError {
		return a.end("failed: %s (%s)", text, where)
	}
	return a.end("refused: %s (%s)", text, where)
}

// end tells a breakdown of the platform from its no.
func (a answer) end(format string, args ...any) error {
	if a.status >= http.StatusInternalServerError {
		return &ended{exitFailure, fmt.Errorf(format, args...)}
	}
	return refusedf(format, args...)
}
