// Package host starts provider plugins as processes, speaks to them, replaces them while calls are
// running, and stops them.
//
// A Host has one Slot per provider, and a Slot has one line for each release that is prepared. A line has at
// most one instance that takes calls, which is one process, and crashes, back-off and quarantine of its own.
// Prepare starts a release beside the present ones, asks it who it is, configures it, and checks its health;
// SetDefault moves the traffic by one pointer store; Keep lets the others drain their calls and end. A call
// holds its instance by a Lease: a reference that is taken before anything is decided and returned when the
// answer is recorded. All releases of a provider share one bound of calls.
//
// What an error means is the point of this package. Acquire failing means that nothing was handed to
// anybody. From the moment a Lease hands a money-moving request over, every broken connection, gRPC
// status, oversized or unreadable answer is provider.Unknown, never a failure, and nothing is repeated.
//
// Processes are started by an own runner behind go-plugin's handshake: the bytes that were hashed are the
// bytes that run (a sealed memory file on Linux), the process gets an empty environment but for a short
// list, an empty directory, its own process group and a private socket, it dies with this process, and
// its exit is seen at once. go-plugin's client is used for the handshake and its mutual TLS only: its
// Kill and Ping have no deadline, its log parser panics on foreign lines, and its broker is not needed.
//
// Files to read first: slot.go, line.go, prepare.go, lease.go.
package host
