package release

// Rehearsed is what a version did with one recorded exchange: the call that a plugin once had, made again with keys that
// open nothing and with the provider's recorded answers in place of the network.
type Rehearsed struct {
	// Exchange is the id of the recording.
	Exchange string
	// Operation as in the contract, such as "pay", and the payment type that it is about.
	Operation   string
	PaymentType string
	// Recorded is how many requests the recording has.
	Recorded int
	// Sent are the requests that would have left, in their order.
	Sent []Sent
	// Read is how the version understood what the provider answered: the typed answer, by member. A number is its digits.
	Read map[string]string
	// Native is the answer that the client would have been shown, by member.
	Native map[string]string
	// Dialled counts attempts to reach the network past the recording. They were refused.
	Dialled int
	// Failed says why the version gave no answer at all, such as that it crashed; the rest is empty then.
	Failed string
}

// Sent is one request to the provider, in clear: before it is sealed or signed.
type Sent struct {
	Method string
	Host   string
	Path   string
	// Query and Body by member. A body that is no document is one member with an empty name.
	Query map[string]string
	Body  map[string]string
	// Envelope names what is around a sealed body, and Headers are the names of the headers, both sorted.
	Envelope []string
	Headers  []string
}

// Aspect is where two versions differ.
type Aspect string

// The aspects, from what leaves to what is understood.
const (
	// AspectRun: one of the versions gave no answer at all.
	AspectRun Aspect = "run"
	// AspectNetwork: a version tried to reach the network past the recording.
	AspectNetwork  Aspect = "network"
	AspectRequests Aspect = "requests"
	AspectMethod   Aspect = "method"
	AspectHost     Aspect = "host"
	AspectPath     Aspect = "path"
	AspectQuery    Aspect = "query"
	AspectHeader   Aspect = "header"
	AspectBody     Aspect = "body"
	AspectEnvelope Aspect = "envelope"
	// AspectAnswer: the typed answer, which decides about money.
	AspectAnswer Aspect = "answer"
	// AspectNative: what the client is shown.
	AspectNative Aspect = "native"
)

// Difference is one way in which two versions differ, however often it was seen.
type Difference struct {
	Operation   string
	PaymentType string
	Aspect      Aspect
	// Member that differs, such as /amount; empty where the aspect has no members.
	Member string
	// Count of exchanges in which it was seen.
	Count int
	// Exchange, Old and New are one example. An absent member reads "(absent)". No secret is in it: the keys are dummies.
	Exchange string
	Old      string
	New      string
}

// Rehearsal is the comparison of two versions over recorded exchanges.
type Rehearsal struct {
	Name string
	Old  string
	New  string
	// Replayed exchanges, by operation and in all.
	Replayed   int
	Operations map[string]int
	// Silent exchanges made the provider send something once, and neither version now: the dummy keys do not fit them, so
	// they prove little.
	Silent int
	// Differences, the gravest aspect of each operation first; More is how many further ones there are.
	Differences []Difference
	More        int
	// Ignored are members that differ between two runs of the old version, such as a nonce: aspect and member.
	Ignored []string
}
