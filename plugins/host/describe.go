package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// maxInfo bounds what --payrack-info may print: schemas are a few kilobytes each.
const maxInfo = 4 << 20

// Describe hashes the file and runs exactly those bytes with --payrack-info, under a deadline and with a
// limit on what they print. The digest is lower case hex. No socket, no settings and no secret are
// involved. Its error is a *Refused.
func (h *Host) Describe(ctx context.Context, path string) (info Info, digest string, err error) {
	return h.DescribeOnly(ctx, path, "")
}

// DescribeOnly is Describe of the bytes with that digest: others are not run, which is CodeDigestMismatch. An empty digest
// is any.
func (h *Host) DescribeOnly(ctx context.Context, path, wanted string) (info Info, digest string, err error) {
	ctx, cancel := context.WithTimeout(ctx, h.options.DescribeTimeout)
	defer cancel()
	img, err := loadImage(path, h.dir, h.options.AllowDynamic)
	if err != nil {
		return Info{}, "", unreadable(path, err)
	}
	defer img.release()
	if wanted != "" && !img.matches(strings.ToLower(wanted)) {
		return Info{}, "", otherBytes(path, img.digest, wanted)
	}
	out, err := h.runInfo(ctx, img)
	if err != nil {
		return Info{}, "", err
	}
	var answer providerv1.GetInfoResponse
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(out, &answer); err != nil {
		return Info{}, "", refuse(CodeProtocolUnsupported, "what %s printed for %s is no description: it is no payrack plugin", path, handshake.InfoFlag)
	}
	if info, err = infoFromWire(&answer); err != nil {
		return Info{}, "", &Refused{Code: CodeInfoMismatch, Message: "the plugin's description is not acceptable: " + oneLine(err), cause: err}
	}
	return info, img.digest, nil
}

// otherBytes is the refusal of a file that is not the one that was installed, or looked at before.
func otherBytes(path, digest, wanted string) *Refused {
	return refuse(CodeDigestMismatch, "%s has the digest %s, and the release has %.80q; the file was changed, and was not run: install it again",
		path, digest, wanted)
}

// unreadable says what is wrong with a file that was never started.
func unreadable(path string, err error) *Refused {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Refused{Code: CodeBinaryMissing, Message: "there is no file " + path, cause: err}
	case errors.Is(err, fs.ErrPermission):
		return &Refused{Code: CodeBinaryMissing, Message: path + " cannot be read by this user: permission denied", cause: err}
	case errors.Is(err, errDamaged):
		return &Refused{Code: CodeBinaryDamaged, Message: err.Error(), cause: err}
	default:
		return &Refused{Code: CodeProtocolUnsupported, Message: err.Error(), cause: err}
	}
}

func (h *Host) runInfo(ctx context.Context, img *image) ([]byte, error) {
	dir, err := os.MkdirTemp(h.dir, "info")
	if err != nil {
		return nil, &Refused{Code: CodeStartCrashed, Message: err.Error(), cause: err}
	}
	defer func() { _ = os.RemoveAll(dir) }()
	p, err := startProcess(ctx, command{
		image: img, name: "payrack-provider", args: []string{handshake.InfoFlag},
		env: environment(nil, h.options.Env, dir, "ERROR"), dir: dir,
		confine: confinement{options: &h.options, work: dir, alone: true},
	})
	if err != nil {
		return nil, &Refused{Code: CodeStartCrashed, Message: err.Error(), cause: err}
	}
	type read struct {
		bytes []byte
		err   error
	}
	stdout, stderr := make(chan read, 1), make(chan read, 1)
	collect := func(f *os.File, most int64, into chan<- read) {
		b, err := io.ReadAll(io.LimitReader(f, most))
		into <- read{b, err}
		_, _ = io.Copy(io.Discard, f)
	}
	go collect(p.stdout, maxInfo+1, stdout)
	go collect(p.stderr, 4096, stderr)
	timedOut := false
	select {
	case <-p.exited:
	case <-ctx.Done():
		timedOut = true
		p.kill()
		await(p.exited, killPatience)
	}
	// A process that inherited the pipes must not keep us.
	_ = p.stdout.SetReadDeadline(time.Now().Add(pipeGrace))
	_ = p.stderr.SetReadDeadline(time.Now().Add(pipeGrace))
	out, words := <-stdout, <-stderr
	_ = p.stdout.Close()
	_ = p.stderr.Close()
	switch {
	case timedOut:
		return nil, refuse(CodeStartTimeout, "the binary did not describe itself within %s", h.options.DescribeTimeout)
	case len(out.bytes) > maxInfo || (out.err != nil && !errors.Is(out.err, os.ErrDeadlineExceeded)):
		return nil, refuse(CodeProtocolUnsupported, "the binary printed more than a description: it is no payrack plugin")
	case p.state.ExitCode() != 0:
		return nil, refuse(CodeStartCrashed, "the binary did not describe itself: %s: %s", p.ending(), firstLine(words.bytes))
	}
	return out.bytes, nil
}

func firstLine(b []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(b), []byte("\n"))
	return fmt.Sprintf("%.400s", printable(line))
}
