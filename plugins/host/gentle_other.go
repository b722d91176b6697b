//go:build unix && !linux

package host

// ease does nothing: on this system a priority that was lowered cannot be raised again.
func (p *process) ease() {}

func (p *process) hurry() *Refused { return nil }
