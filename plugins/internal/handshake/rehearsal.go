package handshake

// A process that is started with this variable serves rehearsals and nothing else: it has no network and answers no
// payment.
const (
	// RehearsalKey never changes.
	RehearsalKey = "PAYRACK_REHEARSAL"
	// RehearsalValue never changes.
	RehearsalValue = "1"
)
