package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A release takes payments from the moment on at which the channel says so, and not before: that is the moment at which every
// live replica had it ready. lagMost is how long a replica may take to hear that another one serves: until the next look.
const lagMost = 10 * time.Second

// versions holds every payment's release against the channel's events: which version had traffic at which time.
func (e *evidence) versions(ctx context.Context, db *sql.DB, events []event) error {
	type turn struct {
		at      int64
		version string
	}
	var turns []turn
	for _, v := range events {
		if v.Event != "plugin.activated" && v.Event != "plugin.rolled_back" {
			continue
		}
		var body struct {
			Stable   string `json:"stable"`
			Evidence string `json:"evidence"`
		}
		if err := json.Unmarshal(v.Body, &body); err != nil {
			return err
		}
		turns = append(turns, turn{v.At.UnixMicro(), body.Stable})
		if v.Event == "plugin.rolled_back" {
			e.alarms = append(e.alarms, body.Evidence)
		}
	}
	if len(turns) == 0 {
		return fmt.Errorf("the channel of %s has no activation among its %d events", provider, len(events))
	}
	found, err := db.QueryContext(ctx, `SELECT id, plugin_release, created_at FROM payment WHERE provider = '`+provider+`' ORDER BY created_at`)
	if err != nil {
		return err
	}
	defer func() { _ = found.Close() }()
	e.served = map[string]int{}
	for found.Next() {
		var id, version string
		var at int64
		if err := found.Scan(&id, &version, &at); err != nil {
			return err
		}
		version = strings.TrimPrefix(version, provider+"@")
		e.served[version]++
		i, _ := slices.BinarySearchFunc(turns, at, func(t turn, at int64) int {
			if t.at <= at {
				return -1
			}
			return 1
		})
		i-- // the last turn at or before the payment
		switch {
		case i >= 0 && turns[i].version == version:
		case i >= 1 && turns[i-1].version == version && time.Duration(at-turns[i].at)*time.Microsecond < lagMost:
			e.lag = max(e.lag, time.Duration(at-turns[i].at)*time.Microsecond)
		case i+1 < len(turns) && turns[i+1].version == version:
			e.early = append(e.early, fmt.Sprintf("%s on %s, %s before it had traffic", id, version, time.Duration(turns[i+1].at-at)*time.Microsecond))
		default:
			e.late = append(e.late, fmt.Sprintf("%s on %s", id, version))
		}
	}
	return found.Err()
}
