package artifacts

// The media types of a release.
const (
	TypeRelease   = "application/vnd.payrack.provider.v1"
	TypeConfig    = "application/vnd.payrack.provider.config.v1+json"
	TypeBinary    = "application/vnd.payrack.provider.binary.v1"
	TypeSignature = "application/vnd.payrack.provider.minisig.v1"
	TypeReport    = "application/vnd.payrack.provider.report.v1+json"
)

// The annotations of a layer, in Go's words for systems and processors.
const (
	AnnotationOS   = "vnd.payrack.provider.os"
	AnnotationArch = "vnd.payrack.provider.arch"
)

// SignatureSuffix stands behind the name of a binary: that file is its signature.
const SignatureSuffix = ".minisig"

// Bounds in bytes. A provider is a Go program of twenty megabytes; the largest ones bring a runtime of their own.
const (
	maxBinary    = 512 << 20
	maxManifest  = 1 << 20
	maxSignature = 16 << 10
	maxReport    = 900 << 10
)
