package payment

import "time"

// CheckDelay is how long after check number n (0 for none yet) the next one is due: seconds first, for the
// till that waits, then the long tail to day seven. ok is false when the checks are used up.
func CheckDelay(n int) (delay time.Duration, ok bool) {
	schedule := []time.Duration{
		1 * time.Second, 1 * time.Second, 1 * time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second,
		7 * time.Second, 10 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour,
		24 * time.Hour, 24 * time.Hour, 24 * time.Hour, 24 * time.Hour, 24 * time.Hour, 24 * time.Hour, 24 * time.Hour,
	}
	if n < 0 || n >= len(schedule) {
		return 0, false
	}
	return schedule[n], true
}
