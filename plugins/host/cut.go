package host

import "log/slog"

// CutCalls ends the calls that are open at every plugin, which makes them unknown, and returns how many there were.
// No plugin takes a call afterwards: it is for a process whose time is up and that still has to tell its clients.
// Close has to follow.
func (h *Host) CutCalls() int {
	h.mu.Lock()
	slots := make([]*Slot, 0, len(h.slots))
	for _, s := range h.slots {
		slots = append(slots, s)
	}
	h.mu.Unlock()
	h.endStarts()
	cut := 0
	for _, s := range slots {
		s.mu.Lock()
		living := make([]*instance, 0, len(s.living))
		for _, in := range s.living {
			living = append(living, in)
		}
		s.mu.Unlock()
		for _, in := range living {
			open := int(in.leases.Load())
			cut += open
			in.planned.Store(true) // its end is ordered: what follows is no crash
			if open > 0 {
				in.log.LogAttrs(h.life, slog.LevelWarn, "plugin calls cut off", slog.Int("open_calls", open))
			}
			in.end()
		}
	}
	return cut
}
