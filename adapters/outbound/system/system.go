// Package system gives the core the machine's clock and ids: the ports outbound.Clock and outbound.IDs.
//
// The clock may step; nothing of the core takes a difference of two wall times for proof that time passed.
package system

import (
	"time"

	"github.com/google/uuid"

	"github.com/payrack/payrack/ports/outbound"
)

// Clock is the machine's clock.
type Clock struct{}

// Now is the time of the wall clock, UTC.
func (Clock) Now() time.Time { return time.Now().UTC() }

// IDs makes UUIDs of version 7.
type IDs struct{}

// New is a UUIDv7 as text: later ones of one process sort after earlier ones. It panics if the machine has no
// randomness, because an id that may repeat would mix up two payments.
func (IDs) New() string { return uuid.Must(uuid.NewV7()).String() }

var (
	_ outbound.Clock = Clock{}
	_ outbound.IDs   = IDs{}
)
