// Package handshake holds what the host and every plugin binary must agree on before they speak gRPC.
//
// A plugin that was built years ago is started with these values: they never change.
package handshake

// The magic cookie tells a plugin binary that a host started it. It is no secret; it only lets a binary
// that was started by hand say something helpful.
const (
	// CookieKey never changes.
	CookieKey = "PAYRACK_PROVIDER_PLUGIN"
	// CookieValue never changes.
	CookieValue = "0f0e9b54-6c2f-4b56-9a39-52d7f1f3a9c4"
)

// Protocol is the major version of the contract, payrack.provider.v1. Everything finer is told by GetInfo.
const Protocol = 1

// PluginName is the name under which the service is registered with go-plugin.
const PluginName = "provider"

// InfoFlag makes a plugin binary print GetInfoResponse as protobuf JSON on standard output and exit.
const InfoFlag = "--payrack-info"

// MaxMessage is the largest gRPC message in bytes, in both directions.
const MaxMessage = 1 << 20

// MaxNative is the largest native body in bytes.
const MaxNative = 64 << 10

// Flow control windows of HTTP/2 in bytes, for one call and for all of one connection. Each side tells its
// own, so they may change. MaxMessage and the largest number of calls that write at once fit.
const (
	StreamWindow = 2 << 20
	ConnWindow   = 16 << 20
)
