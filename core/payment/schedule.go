package payment

import "time"

// schedule is how long after check number n the next one is due: seconds first, for the till that waits, then the long
// tail to day seven.
func schedule(n int) (delay time.Duration, ok bool) {
	all := []time.Duration{
		1 * time.Second, 1 * time.Second, 1 * time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second,
		7 * time.Second, 10 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour,
		24 * time.Hour, 24 * time.Hour, 24 * time.Hour, 24 * time.Hour, 24 * time.Hour, 24 * time.Hour, 24 * time.Hour,
	}
	if n < 0 || n >= len(all) {
		return all[len(all)-1], false
	}
	return all[n], true
}

// giveUp is how old an operation is when its outcome is left to people.
const giveUp = 7 * 24 * time.Hour

// CheckDelay is how long after check number n (0 for none yet) of an operation of this age the next one is due. It is never
// longer than the operation is old: checks that came close together, because clients asked or a search failed, must
// not push the next one into the tail. ok is false when the operation is seven days old.
func CheckDelay(n int, age time.Duration) (delay time.Duration, ok bool) {
	delay, _ = schedule(n)
	return min(delay, max(age, time.Second)), age < giveUp
}

// BlindDelay is how long after a search that failed the next one is due, for an operation of this age.
func BlindDelay(age time.Duration) time.Duration {
	return min(max(age/8, time.Second), 15*time.Minute)
}

// AttemptDelay is how long after a refused attempt to give money back, number n from 1, the next one begins. ok is false when
// they are used up.
func AttemptDelay(n int) (delay time.Duration, ok bool) { return schedule(n) }

// WatchDelay is when to look again for the charge of a payment that was told "not charged", age after it was: hours first, then
// days. ok is false after seven days, when the watch ends.
func WatchDelay(age time.Duration) (delay time.Duration, ok bool) {
	switch {
	case age < 6*time.Hour:
		return time.Hour, true
	case age < 24*time.Hour:
		return 6 * time.Hour, true
	case age < 7*24*time.Hour:
		return 24 * time.Hour, true
	default:
		return 0, false
	}
}
