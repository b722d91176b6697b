package artifacts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"aead.dev/minisign"

	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
)

const howToSign = "payrack plugin sign PATH --key FILE writes the signature, and plugins.signing_keys names the public key"

// Signer returns the key that signed the binary, as "name (id)". The signature is verified over the bytes that have the
// digest, in one pass: a file that is changed meanwhile is refused.
//
// Without any key in the configuration nothing can be verified: then, and only where no signature is demanded, a binary
// counts as unsigned whatever came with it.
func (a *Artifacts) Signer(ctx context.Context, made outbound.Artifact, digest string) (string, error) {
	if made.Signature == nil || (len(a.keys) == 0 && !a.options.RequireSignature) {
		return "", a.withoutProof(ctx, made)
	}
	var s minisign.Signature
	if err := s.UnmarshalText(made.Signature); err != nil {
		return "", unsigned("what came as the signature of the binary is no minisign signature: " + howToSign)
	}
	if s.Algorithm != minisign.HashEdDSA {
		return "", unsigned("the signature of the binary has the old form of minisign, which needs the whole binary in memory: sign it again without -l")
	}
	candidates := a.keysOf(s.KeyID)
	if len(candidates) == 0 {
		return "", unsigned("the binary is signed with the key " + keyID(s.KeyID) + ", and nobody here trusts that one (trusted: " + a.trusted() +
			"): if it is right, name its public key in plugins.signing_keys and restart; else find out who built this binary")
	}
	good, err := verifiedBy(ctx, made, digest, candidates)
	if err != nil {
		return "", err
	}
	if good == nil {
		return "", unsigned("the signature with the key " + keyID(s.KeyID) + " is not of this binary (SHA-256 " + digest +
			"): it belongs to another build, or the binary was changed after it was signed. Do not install it before you know which")
	}
	a.options.Log.InfoContext(ctx, "the signature of a binary is good", slog.String("source", made.Source), slog.String("sha256", digest),
		slog.String("signed_by", good.String()), slog.String("trusted_comment", fmt.Sprintf("%.200s", s.TrustedComment)))
	return good.String(), nil
}

// withoutProof is about a binary that nobody can be held to.
func (a *Artifacts) withoutProof(ctx context.Context, made outbound.Artifact) error {
	if a.options.RequireSignature {
		return unsigned("the binary is not signed, and this platform installs signed ones only: " + howToSign +
			"; the signature lies beside the binary as PATH" + SignatureSuffix + ", comes with the upload, or is packed with it (payrack plugin pack --sign-key FILE)")
	}
	why := "it is not signed"
	if made.Signature != nil {
		why = "plugins.signing_keys names no key that could verify its signature"
	}
	a.options.Log.WarnContext(ctx, "a binary is installed and nobody knows who built it; production would refuse it",
		slog.String("source", made.Source), slog.String("reason", why))
	return nil
}

func (a *Artifacts) keysOf(id uint64) (found []trustedKey) {
	for _, k := range a.keys {
		if k.key.ID() == id {
			found = append(found, k)
		}
	}
	return found
}

func (a *Artifacts) trusted() string {
	if len(a.keys) == 0 {
		return "none, because plugins.signing_keys is empty"
	}
	names := make([]string, len(a.keys))
	for i, k := range a.keys {
		names[i] = k.String()
	}
	return strings.Join(names, ", ")
}

// verifiedBy returns the candidate whose signature it is, nil if it is none's. Ids of keys are chosen by whoever makes
// them, so several keys may have the same.
func verifiedBy(ctx context.Context, made outbound.Artifact, digest string, candidates []trustedKey) (*trustedKey, error) {
	f, err := os.Open(made.Path)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "artifact_unreachable", "the binary cannot be read any more: install it again", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	sum, message := sha256.New(), minisign.NewReader(&until{ctx, f})
	if _, err := io.Copy(sum, message); err != nil {
		return nil, fault.Wrap(fault.Invalid, "artifact_unreachable", "the binary cannot be read to its end: install it again", err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != digest {
		return nil, fault.New(fault.Invalid, "digest_mismatch", "the binary has changed while it was installed: install it again")
	}
	for _, k := range candidates {
		if message.Verify(k.key, made.Signature) {
			return &k, nil
		}
	}
	return nil, nil
}

// until ends a long read when nobody waits for it any more.
type until struct {
	ctx  context.Context //nolint:containedctx // it lives as long as one read of a file
	file io.Reader
}

func (u *until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err //nolint:wrapcheck // the caller says what was read
	}
	return u.file.Read(p) //nolint:wrapcheck // io.EOF must stay what it is
}
