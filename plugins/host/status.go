package host

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// SlotStatus says what runs for one provider.
type SlotStatus struct {
	Name string `json:"name"`
	// Phase is that of the default release: serving, restarting or quarantined. Without one it is idle, disabled or
	// closed.
	Phase  string `json:"phase"`
	Detail string `json:"detail,omitempty"`
	// Releases are those that are prepared, by version.
	Releases []ReleaseStatus `json:"releases"`
	// Instances are all processes, the oldest first; those that drain too.
	Instances []InstanceStatus `json:"instances"`
}

// ReleaseStatus says how one prepared release stands.
type ReleaseStatus struct {
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	// Phase is serving, ready, restarting or quarantined.
	Phase  string `json:"phase"`
	Detail string `json:"detail,omitempty"`
	// Default is true for the release of the calls that name none.
	Default bool `json:"default"`
}

// InstanceStatus says what one process does.
type InstanceStatus struct {
	ID        string    `json:"id"`
	Version   string    `json:"version"`
	SHA256    string    `json:"sha256"`
	PID       int       `json:"pid"`
	State     State     `json:"state"`
	Inflight  int       `json:"inflight"`
	StartedAt time.Time `json:"started_at"`
	// Protections say what the process is kept from: "on", "off" or "off: why", by name.
	Protections map[string]string `json:"protections,omitempty"`
	// Memory is the largest resident set that was seen, in bytes; 0 if unknown.
	Memory int64 `json:"memory,omitempty"`
}

// Status lists all providers by name.
func (h *Host) Status() []SlotStatus {
	h.mu.Lock()
	slots := slices.Collect(maps.Values(h.slots))
	h.mu.Unlock()
	out := make([]SlotStatus, 0, len(slots))
	for _, s := range slots {
		out = append(out, s.Status())
	}
	slices.SortFunc(out, func(a, b SlotStatus) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Status says what runs for this provider.
func (s *Slot) Status() SlotStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := SlotStatus{Name: s.name, Phase: string(s.phase), Releases: []ReleaseStatus{}, Instances: []InstanceStatus{}}
	usual := s.routing.Load().usual
	for _, l := range s.lines {
		if l.phase == phaseIdle || l.phase == phaseRetired {
			continue
		}
		if l == usual {
			out.Phase, out.Detail = string(l.phase), l.detail
		}
		phase := string(l.phase)
		if l.phase == phaseServing && !l.serves {
			phase = string(StateReady)
		}
		out.Releases = append(out.Releases, ReleaseStatus{
			Version: l.version(), SHA256: l.digest, Phase: phase, Detail: l.detail, Default: l == usual,
		})
	}
	slices.SortFunc(out.Releases, func(a, b ReleaseStatus) int { return cmp.Compare(a.Version, b.Version) })
	for _, in := range s.living {
		out.Instances = append(out.Instances, InstanceStatus{
			ID: in.id, Version: in.release.Version, SHA256: in.release.SHA256, PID: in.process.pid,
			State: *in.state.Load(), Inflight: int(in.leases.Load()), StartedAt: in.started, Memory: in.memory.Load(),
			Protections: maps.Clone(in.process.protections),
		})
	}
	slices.SortFunc(out.Instances, func(a, b InstanceStatus) int { return a.StartedAt.Compare(b.StartedAt) })
	return out
}
