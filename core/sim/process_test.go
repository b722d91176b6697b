package sim_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/payrack/payrack/adapters/outbound/memory"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/app"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/outbound"
)

// process is one life of one replica.
type process struct {
	*app.App

	w    *world
	name string
	book *book
	dead chan struct{}
	gone bool
}

// port is what every call of a port begins with: the turn, and the end of a goroutine whose process was killed.
func (p *process) port(what string) {
	p.w.yield(p.name + " " + what)
	if p.gone {
		runtime.Goexit()
	}
}

// kill is kill -9: nothing of the process happens any more. What it had sent goes on without it.
func (p *process) kill() {
	p.gone = true
	close(p.dead)
	p.w.log("%s: killed", p.name)
}

// start begins a life over the store.
func start(w *world, store *memory.Store, b *book, name string, boot int) (*process, error) {
	p := &process{w: w, name: fmt.Sprintf("%s.%d", name, boot), book: b, dead: make(chan struct{})}
	core, err := app.New(app.Options{
		Ledger: ledger{store.Ledger(), p}, Journal: store.Journal(), Mandates: store.Mandates(), SealKey: sealKey{},
		Providers: providers{p}, Runtime: noRuntime{}, Releases: store.Releases(), Replicas: store.Replicas(), Directory: store.Directory(),
		Secrets: vault{}, Signer: noSigner{}, Clock: clock{}, IDs: ids{p}, Boot: p.name,
		SendMargin: 5 * time.Second, FinalMargin: time.Second, DecisionAfter: time.Minute, SearchesPerSecond: 1000,
	})
	if err != nil {
		return nil, err
	}
	p.App = core
	return p, core.Directory().Reload(context.Background())
}

// drive is the recovery's driver, each second; rarely once the world is healed, so that hours pass in no time.
func (p *process) drive() {
	ctx := context.Background()
	for !p.gone {
		_, _ = p.Recovery().FenceDead(ctx)
		_, _ = p.Recovery().ResolveDue(ctx)
		pause := time.Second
		if !p.book.healed && p.w.chance("driver stalls", p.book.faults.stall) {
			// No sign of life for longer than the lease: what this life is sending is taken from it, and its answers come late.
			pause = outbound.ReplicaLease + time.Duration(p.w.rng.Int64N(int64(20*time.Second)))
		}
		if p.book.healed {
			pause = 9 * time.Second // a sign of life within the lease
		}
		p.w.sleep(p.name+" driver", pause)
	}
}

// ledger is the store behind the turn, with commits that fail, that are in doubt, and that a kill meets in the middle.
type ledger struct {
	outbound.Ledger

	p *process
}

var errDoubt = fault.New(fault.Unavailable, "commit_in_doubt", "the connection broke in COMMIT")

func (l ledger) Commit(ctx context.Context, c outbound.Change) (outbound.Committed, error) {
	p := l.p
	key := "commit " + string(c.Record.Payment.ID) + " " + string(c.Record.Operation.ID)
	p.port(key)
	f := p.book.faults
	if !p.book.healed {
		switch {
		case p.w.chance("commit fails", f.commitFails):
			return outbound.Committed{}, fault.New(fault.Unavailable, "store_unavailable", "nothing was handed over")
		case p.w.chance("commit in doubt, lost", f.commitDoubt):
			return outbound.Committed{}, errDoubt
		case p.w.chance("commit in doubt, late", f.commitDoubt):
			delay := time.Duration(1+p.w.rng.Int64N(2000)) * time.Millisecond
			go func() {
				time.Sleep(delay)
				p.w.yield("late " + key)
				done, err := l.Ledger.Commit(context.WithoutCancel(ctx), c)
				p.w.log("%s: late %s: %d %v", p.name, key, done.Loss, err)
			}()
			return outbound.Committed{}, errDoubt
		}
	}
	done, err := l.Ledger.Commit(ctx, c)
	p.w.log("%s: %s v%d %s %s %s epoch %d: %d %v", p.name, c.Entry.Event, c.Record.Payment.Version, c.Record.Payment.OrderNumber,
		c.Record.Operation.Kind, c.Record.Operation.State, c.Record.Operation.Epoch, done.Loss, err)
	if !p.book.healed && p.w.chance("commit in doubt, done", f.commitDoubt) {
		return outbound.Committed{}, errDoubt
	}
	p.port("committed " + string(c.Record.Operation.ID))
	return done, err
}

func (l ledger) Load(ctx context.Context, co company.ID, id payment.ID) (payment.Record, error) {
	l.p.port("load " + string(id))
	return l.Ledger.Load(ctx, co, id)
}

func (l ledger) Claimed(ctx context.Context, keys []outbound.ClaimKey) ([]outbound.Held, error) {
	l.p.port(fmt.Sprintf("claimed %x", keys))
	return l.Ledger.Claimed(ctx, keys)
}

func (l ledger) Find(ctx context.Context, k outbound.Key) (payment.Record, error) {
	l.p.port("find " + k.OrderNumber)
	return l.Ledger.Find(ctx, k)
}

func (l ledger) Fence(ctx context.Context, boot string, limit int) ([]payment.Record, error) {
	l.p.port("fence")
	return l.Ledger.Fence(ctx, boot, limit)
}

func (l ledger) Due(ctx context.Context, q outbound.DueQuery) ([]payment.Record, error) {
	l.p.port("due " + string(q.Payment))
	return l.Ledger.Due(ctx, q)
}

type clock struct{}

func (clock) Now() time.Time { return time.Now().UTC() }

// ids are drawn by whoever has the turn.
type ids struct{ p *process }

func (i ids) New() string {
	return fmt.Sprintf("%08x", i.p.w.rng.Uint32()) + fmt.Sprintf("-%04x", i.p.w.turns&0xffff)
}

type vault struct{}

func (vault) Seal(_ context.Context, f credential.Field, plain []byte) ([]byte, error) {
	return append([]byte(f.Name+"|"), plain...), nil
}

func (vault) Open(_ context.Context, f credential.Field, sealed []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(sealed, []byte(f.Name+"|"))
	if !ok {
		return nil, fault.New(fault.Internal, "secret_unreadable", "another field")
	}
	return plain, nil
}

func (vault) Fingerprint(data []byte) [32]byte   { return sha256.Sum256(data) }
func (vault) Hash(secret string) (string, error) { return secret, nil }
func (vault) Matches(hash, secret string) bool   { return hash == secret }

type sealKey struct{}

func (sealKey) SignBlock(data []byte) (string, []byte, error) { return "k", data[:8], nil }
func (sealKey) VerifyBlock(string, []byte, []byte) bool       { return true }

type noSigner struct{}

func (noSigner) Sign(context.Context, access.Principal, time.Time) (string, error) { return "", nil }

func (noSigner) Verify(context.Context, string) (access.Principal, error) {
	return access.Principal{}, errors.New("no tokens here")
}
func (noSigner) Keys(context.Context) ([]byte, error) { return nil, nil }

type noRuntime struct{}

func (noRuntime) Describe(context.Context, string, string) (release.Release, error) {
	return release.Release{}, errors.New("no plugins here")
}

func (noRuntime) Keep(_ context.Context, r release.Release) (release.Release, error) { return r, nil }

func (noRuntime) Types(context.Context, release.Release) ([]catalogue.Type, error) { return nil, nil }
func (noRuntime) Prepare(context.Context, release.Release) error                   { return nil }
func (noRuntime) Route(context.Context, release.Channel, []release.Release) error  { return nil }
func (noRuntime) Instances(string) []release.Instance                              { return nil }

// furnish makes the company of the simulation.
func furnish(store *memory.Store, policy company.OnUnknown) error {
	ctx, d, at := context.Background(), store.Directory(), time.Now()
	return errors.Join(
		d.AddCompany(ctx, company.Company{ID: "co", Name: "Company", OnUnknown: policy, CreatedAt: at}),
		d.PutCredential(ctx, credential.Credential{
			ID: "cred", Company: "co", Type: codePay, Provider: "sim", Environment: company.Test, Account: "account", Wire: "v1",
			Revision: 1, CreatedAt: at, UpdatedAt: at, Sealed: []byte("credential/cred|{}"),
		}),
		d.PutCredential(ctx, credential.Credential{
			ID: "cred2", Company: "co", Type: walletPay, Provider: "sim", Environment: company.Test, Account: "account", Wire: "v1",
			Revision: 1, CreatedAt: at, UpdatedAt: at, Sealed: []byte("credential/cred2|{}"),
		}),
	)
}
