package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Env is what a dialect may use: clock, books, ledger, accounts, codes and faults of its own provider.
type Env struct {
	server  *Server
	dialect Dialect
	handler http.Handler
	openErr error
	codes   *Book[Code]

	accountsMu sync.Mutex // held while accounts are made, so that a label is made once
	accounts   *Book[account]
}

// account is an account with the name that the provider knows it by.
type account struct {
	Name string `json:"name"`
	Account
}

func newEnv(s *Server, d Dialect) *Env {
	e := &Env{server: s, dialect: d}
	e.codes = NewBook[Code](e, "codes")
	e.accounts = NewBook[account](e, "accounts")
	return e
}

// Now is the sandbox's clock, in UTC.
func (e *Env) Now() time.Time { return e.server.now() }

// Rand is the sandbox's source of chance.
func (e *Env) Rand() io.Reader { return e.server.opts.Rand }

// Log takes what an operator should see. No secret goes there.
func (e *Env) Log() *slog.Logger { return e.server.log }

// Closing is closed when the sandbox stops; whoever waits lets go then.
func (e *Env) Closing() <-chan struct{} { return e.server.closing }

// Account returns the account that the provider knows by this name. It is not for use inside Do.
func (e *Env) Account(name string) (Account, bool) {
	e.server.mu.Lock()
	defer e.server.mu.Unlock()
	a, ok := e.accounts.rows[name]
	return a.Account, ok
}

// Path is the request's path exactly as it was sent, without the dialect's prefix.
func (e *Env) Path(r *http.Request) string {
	return strings.TrimPrefix(rawPath(r), strings.TrimSuffix(e.dialect.Prefix, "/"))
}

func (e *Env) serves(path string) bool {
	prefix := strings.TrimSuffix(e.dialect.Prefix, "/")
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// rawPath is the path as it was sent: percent signs kept, nothing cleaned. Signatures cover it.
func rawPath(r *http.Request) string {
	if path, _, _ := strings.Cut(r.RequestURI, "?"); strings.HasPrefix(path, "/") {
		return path
	}
	return r.URL.EscapedPath()
}

// Violation records something that a client must never do although the provider lets it pass. The
// answer does not change; GET /_sandbox/violations shows it.
func (e *Env) Violation(rule, orderID string) {
	s := e.server
	v := Violation{At: s.now(), Provider: e.dialect.Name, Rule: rule, OrderID: orderID}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, v)
	if err := s.appendLocked(record{Violation: &v}); err != nil {
		s.log.Error("a violation was not written", slog.String("rule", rule), slog.Any("error", err))
	}
}

// saveAccount registers or replaces an account under the name in its credential.
func (e *Env) saveAccount(a Account) (Account, error) {
	name, err := e.dialect.Identify(a.Credential)
	if err != nil {
		return Account{}, err
	}
	err = e.Do(func(tx *Tx) { e.accounts.Put(tx, name, account{Name: name, Account: a}) })
	return a, err
}

// labelled returns the account with this label; all development accounts are made on first use.
func (e *Env) labelled(label string) (Account, error) {
	e.accountsMu.Lock()
	defer e.accountsMu.Unlock()
	if a, ok := e.findLabel(label); ok {
		return a, nil
	}
	var labels []string
	var found *Account
	for _, a := range e.dialect.Accounts(e.Rand()) {
		labels = append(labels, a.Label)
		if a.Label == label {
			found = &a
		}
	}
	if found == nil {
		return Account{}, fmt.Errorf("%s has the accounts %s", e.dialect.Name, strings.Join(labels, ", "))
	}
	return e.saveAccount(*found)
}

func (e *Env) findLabel(label string) (Account, bool) {
	e.server.mu.Lock()
	defer e.server.mu.Unlock()
	for _, a := range e.accounts.rows {
		if a.Label == label {
			return a.Account, true
		}
	}
	return Account{}, false
}

// issueCode makes a one-time code, or takes the given one, which is fresh again afterwards.
func (e *Env) issueCode(given string, options CodeOptions) (string, error) {
	if given == "" {
		given = e.dialect.NewCode(e.Rand())
	}
	err := e.Do(func(tx *Tx) {
		e.codes.Put(tx, given, Code{Code: given, IssuedAt: tx.Now(), CodeOptions: options})
	})
	return given, err
}

// DecodeOptions fills switches from an account's options; no options leave them as they are.
func DecodeOptions(a Account, into any) error {
	if len(a.Options) == 0 {
		return nil
	}
	if err := json.Unmarshal(a.Options, into); err != nil {
		return fmt.Errorf("account options: %w", err)
	}
	return nil
}
