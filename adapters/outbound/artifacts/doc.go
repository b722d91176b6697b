// Package artifacts brings binaries of providers to this machine and says who signed them.
//
// A binary comes from a file with its signature beside it (FILE.minisig), from an upload, from an OCI registry, or from an
// OCI layout on this machine's disk where no registry can be reached:
//
//	registry.example.com/payrack/acme@sha256:…      by digest
//	registry.example.com/payrack/acme:1.4.0         by tag, which is resolved once
//	oci-layout:/media/usb/acme-1.4.0.oci:1.4.0      a layout, as a folder or a .tar file, by tag or by digest
//
// # The artifact
//
// An artifact is one OCI image manifest (v1.1) with the artifact type [TypeRelease]:
//
//   - config [TypeConfig]: what the binary says about itself, for people and for registries. Nobody relies on it; the
//     binary is asked again when it is installed.
//   - one layer [TypeBinary] for each platform: the static ELF file as it is, not compressed, so that the digest in the
//     manifest is the digest that the platform pins.
//   - one layer [TypeSignature] for each binary: its minisign signature.
//   - at most one layer [TypeReport] for each binary: its signed conformance report.
//
// Layers carry the annotations [AnnotationOS] and [AnnotationArch]; one without them is for every platform. Only the
// layers for this machine are fetched. The same files make the same manifest, whenever they are packed.
//
// # Trust
//
// The registry is not trusted, and neither is the way to it: every byte is compared with the digest that the reference or
// the resolved tag names, and the signature is verified here, without asking anybody, over the very bytes that have the
// pinned digest. A signature binds a binary, and a binary knows its own name and version; the trusted comment of a
// signature is therefore shown and not relied on.
package artifacts
