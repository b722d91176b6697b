package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/payrack/payrack/core/release"
)

// replicaStore is the store's outbound.Replicas.
type replicaStore struct{ s *Store }

// keptReports is how long the last report of a replica is told.
const keptReports = time.Hour

// reportKey is one replica's word about one provider.
type reportKey struct{ replica, name string }

// Report keeps what a replica says.
func (r *replicaStore) Report(ctx context.Context, said release.Report) error {
	if said.Replica == "" {
		return invalid("out_of_range", "a report names its replica")
	}
	if err := r.s.enter(ctx); err != nil {
		return err
	}
	defer r.s.mu.Unlock()
	said = keptReport(said)
	said.SeenAt, said.Alive = now(), false
	r.s.reports[reportKey{said.Replica, said.Name}] = said
	return nil
}

// Reports returns the last reports.
func (r *replicaStore) Reports(ctx context.Context, name string) ([]release.Report, error) {
	if err := r.s.enter(ctx); err != nil {
		return nil, err
	}
	defer r.s.mu.Unlock()
	var all []release.Report
	for _, said := range r.s.reports {
		age := now().Sub(said.SeenAt)
		if (name != "" && said.Name != name) || age > keptReports {
			continue
		}
		said = keptReport(said)
		said.Alive = age >= 0 && age <= release.LiveFor
		all = append(all, said)
	}
	slices.SortFunc(all, func(a, b release.Report) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Replica, b.Replica))
	})
	return all, nil
}

// Leave removes the reports of a replica.
func (r *replicaStore) Leave(ctx context.Context, replica string) error {
	if err := r.s.enter(ctx); err != nil {
		return err
	}
	defer r.s.mu.Unlock()
	maps.DeleteFunc(r.s.reports, func(k reportKey, _ release.Report) bool { return k.replica == replica })
	return nil
}

// Changes tells of saved channels.
func (r *replicaStore) Changes(ctx context.Context) <-chan struct{} {
	told := make(chan struct{}, 1)
	r.s.mu.Lock()
	r.s.listeners[told] = struct{}{}
	r.s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		r.s.mu.Lock()
		defer r.s.mu.Unlock()
		delete(r.s.listeners, told)
		close(told)
	})
	return told
}

// tell wakes who listens for changes; one that has not looked yet will see this change, too.
func (s *Store) tell() {
	for told := range s.listeners {
		select {
		case told <- struct{}{}:
		default:
		}
	}
}

// keptReport shares no memory with r.
func keptReport(r release.Report) release.Report {
	r.Ready, r.Refused, r.Tallies = slices.Clone(r.Ready), maps.Clone(r.Refused), slices.Clone(r.Tallies)
	return r
}
