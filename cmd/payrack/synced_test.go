package main

import (
	"bytes"
	"sync"
)

// synced is a buffer that a program may write to while a test reads it.
type synced struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to it.
func (s *synced) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// String is what was written so far.
func (s *synced) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
