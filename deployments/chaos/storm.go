package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/payrack/payrack/deployments/chaos/record"
	"github.com/payrack/payrack/deployments/internal/rig"
)

// settlePatience is how long everything may take to settle after the last repair before the run is called stuck.
const settlePatience = 2 * time.Minute

// begin opens an installation and the report of its run.
func begin(ctx context.Context, s settings, replicas int, dir string) (*load, error) {
	c, err := openCluster(ctx, s, replicas, dir)
	if err != nil {
		return nil, err
	}
	notes, err := record.NewWriter(filepath.Join(dir, "report"))
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return &load{cluster: c, notes: notes, began: time.Now(), seed: s.seed}, nil
}

// storm lets clients work under a raging nemesis, heals, and waits for the truth.
func storm(ctx context.Context, s settings, layout string, replicas int, dir string) (err error) {
	l, err := begin(ctx, s, replicas, dir)
	if err != nil {
		return err
	}
	defer func() {
		err = l.end(err)
		if err == nil && !s.keep {
			err = leaveReport(dir)
		}
	}()
	if err := l.install(ctx); err != nil {
		return err
	}
	n := newNemesis(l)
	raging, calm := context.WithCancel(ctx)
	defer calm()
	every := time.Duration(float64(s.payments) / s.rate / float64(s.kills) * 0.5 * float64(time.Second))
	ended := make(chan struct{})
	go func() { defer close(ended); n.rage(raging, ctx, every, s.kills) }()
	l.run(ctx, s.payments, s.rate)
	calm()
	<-ended
	return l.finish(ctx, record.About{Layout: layout, Asked: s.payments})
}

// finish waits until everything is settled and writes the report.
func (l *load) finish(ctx context.Context, about record.About) error {
	about.Program, about.Date, about.Seed, about.Replicas = rig.Version(ctx, l.payrack), time.Now().UTC(), l.seed, len(l.replicas)
	about.MaxDuration, about.LandingMax, about.SearchLagMax = maxDuration.Seconds(), landingMax.Seconds(), searchLagMax.Seconds()
	about.SendMargin, about.FinalMargin, about.DecisionAfter = sendMargin.Seconds(), finalMargin.Seconds(), decisionAfter.Seconds()
	about.HealedUS = time.Now().UnixMicro()
	l.wait()
	if err := l.settled(ctx); err != nil {
		return err
	}
	about.EndedUS = time.Now().UnixMicro()
	about.Hooked = true
	if err := l.delivered(ctx); err != nil {
		return err
	}
	about.Audit = l.audit(ctx)
	r := record.Report{Messages: l.shop.heard()}
	for _, one := range l.replicas {
		l.trouble.add(one.child.Stop())
	}
	if err := errors.Join(l.notes.Close(), l.collect(ctx, &r), ctx.Err()); err != nil {
		return err
	}
	r.Faults = l.fired.list()
	if len(r.Payments) == 0 {
		return errors.New("no payment was made at all")
	}
	var err error
	if about.Secrets, err = l.searchSecrets(r.Payments[0].OrderNumber); err != nil {
		return err
	}
	about.Unfit = l.trouble.all
	r.About = about
	return r.Write(filepath.Join(l.dir, "report"))
}

// audit lets the program check its own journal, as an operator does.
func (l *load) audit(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, rig.StartPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.payrack, "audit", "verify", "--admin-url", "http://"+l.replicas[0].admin) //nolint:gosec // the binary that the caller named
	cmd.Env = append(os.Environ(), "PAYRACK_ADMIN_TOKEN="+l.token)
	out, err := cmd.CombinedOutput()
	said := strings.Join(strings.Fields(string(out)), " ")
	if err != nil {
		return record.AuditFailed + said
	}
	return said
}

// end closes the installation. After an error what was heard until then is kept.
func (l *load) end(err error) error {
	if err != nil {
		_ = l.notes.Close()
	}
	return errors.Join(err, l.close())
}

// settled waits until no payment is open. One that stays open is for the verifier to name.
func (l *load) settled(ctx context.Context) error {
	db, err := l.database()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for end := time.Now().Add(settlePatience); time.Now().Before(end); pause(ctx, 500*time.Millisecond) {
		n, err := rig.OpenPayments(ctx, db)
		if err != nil {
			return fmt.Errorf("count the open payments: %w", err)
		}
		if n == 0 || ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// leaveReport removes everything but the report.
func leaveReport(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != "report" {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}
