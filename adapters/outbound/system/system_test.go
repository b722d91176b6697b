package system_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/payrack/payrack/adapters/outbound/system"
)

func TestClockIsUTC(t *testing.T) {
	t.Parallel()
	before := time.Now()
	now := system.Clock{}.Now()
	if now.Location() != time.UTC {
		t.Errorf("location = %v, want UTC", now.Location())
	}
	if now.Before(before) {
		t.Errorf("Now() = %v, before %v", now, before)
	}
}

func TestIDsAscendAndAreVersion7(t *testing.T) {
	t.Parallel()
	ids := make([]string, 10_000)
	for i := range ids {
		ids[i] = system.IDs{}.New()
	}
	if !slices.IsSorted(ids) {
		t.Error("ids of one goroutine do not ascend")
	}
	for _, id := range ids[:100] {
		u, err := uuid.Parse(id)
		if err != nil || u.Version() != 7 || u.String() != id {
			t.Fatalf("id %q is no canonical UUIDv7: version %v, error %v", id, u.Version(), err)
		}
	}
}

func TestIDsAreUnique(t *testing.T) {
	t.Parallel()
	const each, workers = 2000, 8
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				id := system.IDs{}.New()
				mu.Lock()
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != each*workers {
		t.Errorf("%d different ids, want %d", len(seen), each*workers)
	}
}
