package sandbox

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
)

// getLedger reads the entries back from the file, so that it shows what a crash would leave.
func (s *Server) getLedger(w http.ResponseWriter, r *http.Request) {
	entries := []Entry{}
	err := s.report(func(rec record) {
		if e := rec.Entry; e != nil && wanted(r, e.Provider, e.OrderID) {
			entries = append(entries, *e)
		}
	}, `"entry":`, r.URL.Query().Get("order_id"))
	if err != nil {
		s.broke(w, err)
		return
	}
	s.reply(w, http.StatusOK, map[string][]Entry{"entries": entries})
}

// getRequests reads the list of transmissions from the file.
func (s *Server) getRequests(w http.ResponseWriter, r *http.Request) {
	requests := []Request{}
	err := s.report(func(rec record) {
		if q := rec.Request; q != nil && wanted(r, q.Provider, q.OrderID) {
			requests = append(requests, *q)
		}
	}, `"request":`, r.URL.Query().Get("order_id"))
	if err != nil {
		s.broke(w, err)
		return
	}
	s.reply(w, http.StatusOK, map[string][]Request{"requests": requests})
}

func wanted(r *http.Request, provider, orderID string) bool {
	query := r.URL.Query()
	return (query.Get("provider") == "" || query.Get("provider") == provider) &&
		(query.Get("order_id") == "" || query.Get("order_id") == orderID)
}

// report visits every record that is durable, in order. Lines without member are passed over undecoded,
// and so are lines without the order, where one is asked for.
func (s *Server) report(visit func(record), member, orderID string) error {
	needle, err := json.Marshal(orderID)
	if err != nil {
		return fmt.Errorf("encode the order: %w", err)
	}
	wanted := func(line []byte) bool {
		return (orderID == "" || bytes.Contains(line, needle)) && bytes.Contains(line, []byte(member))
	}
	return s.journal.scan(wanted, func(line []byte) error {
		var rec record
		if err := json.Unmarshal(line, &rec); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		visit(rec)
		return nil
	})
}
