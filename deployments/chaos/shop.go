package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/payrack/payrack/deployments/chaos/record"
	"github.com/payrack/payrack/deployments/internal/rig"
)

// messagePatience is how long the messages about what is settled may take to arrive. Two refusals in a row cost 35 seconds.
const messagePatience = 3 * time.Minute

// shop is the company's server, which is told what happens to its payments. It is no better than others: of the first tries it
// refuses one in eight, and one in sixteen it reads and answers nothing.
type shop struct {
	server *http.Server
	url    string

	mu       sync.Mutex
	secret   []byte
	messages []record.Message
	seen     map[string]bool
}

func openShop(ctx context.Context) (*shop, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &shop{url: "http://" + l.Addr().String() + "/payments", seen: map[string]bool{}}
	s.server = &http.Server{Handler: http.HandlerFunc(s.receive), ReadHeaderTimeout: rig.ControlTime}
	go func() { _ = s.server.Serve(l) }()
	return s, nil
}

// register lets the company's messages go to the shop.
func (c *cluster) register(ctx context.Context) error {
	a, err := c.http.Do(ctx, rig.Call{
		Method: http.MethodPost, URL: "http://" + c.replicas[0].admin + "/admin/v1/webhooks", Bearer: c.token,
		Body: fmt.Appendf(nil, `{"company_id":%q,"url":%q,"events":[]}`, c.dev.CompanyID, c.shop.url),
	})
	if err != nil || a.Status != http.StatusCreated {
		return fmt.Errorf("register the company's server: %d %s, %w", a.Status, a.Body, err)
	}
	c.shop.mu.Lock()
	defer c.shop.mu.Unlock()
	c.shop.secret, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(a.Member("secret"), "whsec_"))
	return err
}

func (s *shop) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var m struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      struct {
			ID    string `json:"id"`
			State string `json:"state"`
		} `json:"data"`
	}
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id := r.Header.Get("Webhook-Id")
	one := record.Message{ID: id, Type: m.Type, Payment: m.Data.ID, State: m.Data.State, AtUS: m.Timestamp.UnixMicro(), Answer: http.StatusNoContent}
	s.mu.Lock()
	mac := hmac.New(sha256.New, s.secret)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, r.Header.Get("Webhook-Timestamp"), body)
	one.Signed = slices.Contains(strings.Fields(r.Header.Get("Webhook-Signature")), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	if !s.seen[id] {
		switch draw := sha256.Sum256([]byte(id)); draw[0] % 16 {
		case 0, 1:
			one.Answer = http.StatusServiceUnavailable
		case 2:
			one.Answer = 0
		}
	}
	s.seen[id] = true
	s.messages = append(s.messages, one)
	s.mu.Unlock()
	if one.Answer == 0 {
		panic(http.ErrAbortHandler) // hangs up
	}
	w.WriteHeader(one.Answer)
}

// heard are the messages so far.
func (s *shop) heard() []record.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// delivered waits until the shop has heard how every payment ended. What it never hears is for the verifier to name.
func (l *load) delivered(ctx context.Context) error {
	db, err := l.database()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for end := time.Now().Add(messagePatience); time.Now().Before(end); pause(ctx, time.Second) {
		told := map[string]string{}
		for _, m := range l.shop.heard() {
			if m.Taken() {
				told[m.Payment] = m.State
			}
		}
		n, err := untold(ctx, db, told)
		if err != nil || n == 0 || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
	}
	return nil
}

// untold counts the payments that are in another state than the company was told last.
func untold(ctx context.Context, db *sql.DB, told map[string]string) (n int, err error) {
	rows, err := db.QueryContext(ctx, "SELECT id, state FROM payment")
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, state string
		if err := rows.Scan(&id, &state); err != nil {
			return 0, err
		}
		if told[id] != state {
			n++
		}
	}
	return n, rows.Err()
}
