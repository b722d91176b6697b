package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/payrack/payrack/deployments/bench/naive"
	"github.com/payrack/payrack/deployments/bench/stub"
)

const (
	amount         = 100
	requestTimeout = 60 * time.Second
	idleConns      = 1024
)

// caller makes payments through a pooled client. Orders and one-time keys are never used twice.
type caller struct {
	client *http.Client
	run    int64
	next   atomic.Int64
}

func newCaller() *caller {
	return &caller{
		run: time.Now().UnixMilli(),
		client: &http.Client{
			Timeout:   requestTimeout,
			Transport: &http.Transport{MaxIdleConns: idleConns, MaxIdleConnsPerHost: idleConns, IdleConnTimeout: time.Minute, DisableCompression: true},
		},
	}
}

// payments is how many were begun.
func (c *caller) payments() int64 { return c.next.Load() }

func (c *caller) order() (order, key string) {
	n := c.next.Add(1)
	return fmt.Sprintf("bench-%d-%d", c.run, n), fmt.Sprintf("38%016d", n)
}

// post sends a body and expects the gateway's answer of success for the order.
func (c *caller) post(ctx context.Context, url, token, order string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !bytes.Contains(raw, []byte(`"returnCode":"0000"`)) || !bytes.Contains(raw, []byte(`"`+order+`"`)) {
		return fmt.Errorf("a payment failed with status %d: %s", resp.StatusCode, raw)
	}
	return nil
}

// pay makes one payment at the API that payrack and the rival share.
func (c *caller) pay(ctx context.Context, base, token, store string) error {
	order, key := c.order()
	body := fmt.Appendf(nil, `{"type":"LINE_QRCODE_PAY","is_test":true,"store_id":%q,"request":{"productName":"bench","amount":%d,"currency":"TWD","orderId":%q,"oneTimeKey":%q}}`,
		store, amount, order, key)
	return c.post(ctx, base+"/v1/payment/integrate/pay", token, order, body)
}

// floor is the least that a payment with a durable intent and a durable result costs: a row, a call of the gateway,
// the row's update. One connection, prepared statements, the rival's table.
type floor struct {
	caller  *caller
	gateway string
	db      *sql.DB
	insert  *sql.Stmt
	update  *sql.Stmt
}

func openFloor(ctx context.Context, c *caller, path, gateway string) (*floor, error) {
	db, err := naive.OpenSQLite(ctx, path)
	if err != nil {
		return nil, err
	}
	f := &floor{caller: c, gateway: gateway, db: db}
	f.insert, err = db.PrepareContext(ctx, `INSERT INTO payment (id, company, store, type, order_no, amount, currency, state, created_at, updated_at)
		VALUES (?, 'company', 'store', 'LINE_QRCODE_PAY', ?, ?, 'TWD', 'SENDING', ?, ?)`)
	if err == nil {
		f.update, err = db.PrepareContext(ctx, `UPDATE payment SET state = 'SUCCEEDED', provider_txn = ?, reply = ?, updated_at = ? WHERE id = ?`)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return f, nil
}

func (f *floor) pay(ctx context.Context) error {
	order, key := f.caller.order()
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	now := time.Now().UnixMicro()
	if _, err := f.insert.ExecContext(ctx, id.String(), order, amount, now, now); err != nil {
		return err
	}
	body := fmt.Appendf(nil, `{"amount":%d,"currency":"TWD","orderId":%q,"oneTimeKey":%q,"packages":[{"id":"1","amount":%d,"products":[{"name":"bench","quantity":1,"price":%d}]}]}`,
		amount, order, key, amount, amount)
	if err := f.caller.post(ctx, f.gateway+stub.PayPath, "", order, body); err != nil {
		return err
	}
	_, err = f.update.ExecContext(ctx, order, body, time.Now().UnixMicro(), id.String())
	return err
}

func (f *floor) close() error { return f.db.Close() }
