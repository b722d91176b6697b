package memory

import "time"

// Age makes the last sign of a process life older. One that only claimed has been seen just now.
func (s *Store) Age(boot string, by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sign, ok := s.lives[boot]
	if !ok {
		sign = now()
	}
	s.lives[boot] = sign.Add(-by)
}

// AgeReports makes the reports of a replica older.
func (s *Store) AgeReports(replica string, by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, r := range s.reports {
		if k.replica == replica {
			r.SeenAt = r.SeenAt.Add(-by)
			s.reports[k] = r
		}
	}
}
