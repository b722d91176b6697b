// Package conformance is the kit that proves a provider plugin: what its author calls in a test and what
// an operator runs against a binary in any language.
//
// A plugin is judged from outside. The kit starts the binary as the platform does, leads it to a gateway
// of the kit's own, breaks the connection between the two in every way that is known, and compares what the
// plugin said with what the gateway's books hold. A plugin fails if it calls a payment declined that was
// taken, taken that was not, "not sent" after a byte had left, or "not found" when nobody had answered.
//
// Two doors lead in:
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, conformance.Plugin{Package: ".", Config: "conformance.json"})
//	}
//
//	payrack plugin verify ./payrack-provider-acme --config conformance.json --report report.json
//
// Both read a [Subject]: settings that lead the plugin to the gateway, a shape for credential sets, native
// columns, and a gateway. The gateway is data ([Script]: routes and answers as templates), a dialect of the
// sandbox ([SandboxSpec]), or any [Gateway] of the author's own. Transport faults need nothing: a proxy in
// front of the gateway plays them.
//
// [Checks] lists what is looked at, and README.md prints the list. A check that has nothing to look at (a
// plugin without refunds) is reported as not applicable, with the reason, and one that the subject waives as
// waived, with the author's reason; neither counts as passed. A [Report] says what was found about which
// digest; [SignReport] and [VerifyReport] let somebody else rely on it.
//
// Files to read first: checks.go, trial.go, proxy.go.
package conformance
