package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/payrack/payrack/deployments/internal/rig"
)

// orderTime bounds an order at the admin plane: a hanging release and a dead replica are waited for.
const orderTime = 90 * time.Second

// refusal is how the admin plane said no; ok is true if it said yes.
type refusal struct {
	ok     bool
	status int
	code   string
	text   string
}

// order asks a replica's admin plane for something.
func (p *platform) order(ctx context.Context, r *replica, method, path string, body, into any) (refusal, error) {
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return refusal{}, err
		}
	}
	a, err := p.http.Do(ctx, rig.Call{Method: method, URL: r.admin + "/admin/v1/" + path, Bearer: p.token, Body: text})
	if err != nil {
		return refusal{}, fmt.Errorf("%s: %w", path, err)
	}
	if a.Status != http.StatusOK && a.Status != http.StatusCreated {
		return refusal{status: a.Status, code: a.Member("code"), text: a.Member("message")}, nil
	}
	if into != nil {
		if err := json.Unmarshal(a.Body, into); err != nil {
			return refusal{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	return refusal{ok: true, status: a.Status}, nil
}

// install makes a binary known; signature is the file beside it, if there is one.
func (p *platform) install(ctx context.Context, r *replica, path, signature string) (sha string, no refusal, err error) {
	body := map[string]any{"path": path, "reason": "swap run"}
	if signature != "" {
		text, err := os.ReadFile(signature) //nolint:gosec // below the harness's own folder
		if err != nil {
			return "", refusal{}, err
		}
		body["signature"] = string(text)
	}
	var got struct {
		SHA256 string `json:"sha256"`
	}
	no, err = p.order(ctx, r, http.MethodPost, "plugins/releases", body, &got)
	return got.SHA256, no, err
}

// insist orders again where the platform itself moved the channel at the same moment, as an operator does: a release before
// the stable one had just baked, or a gate struck.
func (p *platform) insist(ctx context.Context, r *replica, name, word string, body map[string]any, into any) (no refusal, err error) {
	for range 5 {
		no, err = p.order(ctx, r, http.MethodPost, "plugins/"+name+"/"+word, body, into)
		if err != nil || no.code != "generation_moved" {
			break
		}
		pause(ctx, 100*time.Millisecond)
	}
	return no, err
}

// activation is what the admin plane answers to an order.
type activation struct {
	Generation int64 `json:"generation"`
	TookMS     int64 `json:"took_ms"`
}

func (p *platform) activate(ctx context.Context, r *replica, name, version string) (activation, refusal, error) {
	var got activation
	no, err := p.insist(ctx, r, name, "activate", map[string]any{"version": version, "reason": "swap run"}, &got)
	return got, no, err
}

// channel is what a replica says about a provider.
type channel struct {
	Name    string `json:"name"`
	Channel struct {
		Stable     string `json:"stable"`
		Candidate  string `json:"candidate"`
		Phase      string `json:"phase"`
		Generation int64  `json:"generation"`
	} `json:"channel"`
	Instances []struct {
		Version string `json:"version"`
		PID     int    `json:"pid"`
		State   string `json:"state"`
	} `json:"instances"`
	Replicas []struct {
		Replica    string   `json:"replica"`
		Alive      bool     `json:"alive"`
		Generation int64    `json:"generation"`
		Ready      []string `json:"ready"`
	} `json:"replicas"`
}

func (p *platform) status(ctx context.Context, r *replica, name string) (channel, error) {
	var all struct {
		Plugins []channel `json:"plugins"`
	}
	no, err := p.order(ctx, r, http.MethodGet, "plugins", nil, &all)
	if err == nil && !no.ok {
		err = fmt.Errorf("status: %d %s", no.status, no.code)
	}
	for _, c := range all.Plugins {
		if c.Name == name {
			return c, err
		}
	}
	if err == nil {
		err = fmt.Errorf("status: there is no %s", name)
	}
	return channel{}, err
}

// event is one of a provider's channel.
type event struct {
	N     int64           `json:"n"`
	At    time.Time       `json:"at"`
	Event string          `json:"event"`
	Body  json.RawMessage `json:"body"`
}

// events are those behind a number.
func (p *platform) events(ctx context.Context, r *replica, name string, after int64) ([]event, error) {
	var all []event
	for {
		var page struct {
			Data []event `json:"data"`
			Next *string `json:"next_cursor"`
		}
		no, err := p.order(ctx, r, http.MethodGet, fmt.Sprintf("plugins/%s/events?after=%d", name, after), nil, &page)
		if err != nil {
			return nil, err
		}
		if !no.ok {
			return nil, fmt.Errorf("events: %d %s", no.status, no.code)
		}
		all = append(all, page.Data...)
		if page.Next == nil || len(page.Data) == 0 {
			return all, nil
		}
		after = page.Data[len(page.Data)-1].N
	}
}
