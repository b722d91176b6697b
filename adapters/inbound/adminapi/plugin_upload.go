package adminapi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/ports/inbound"
)

// The headers of an upload, whose body is the binary.
const (
	// SignatureHeader carries the text of the .minisig file, as standard base64.
	SignatureHeader = "Payrack-Signature"
	// ReportLengthHeader says how many bytes at the beginning of the body are the signed conformance report; the
	// binary follows without a gap. A report is too long for a header.
	ReportLengthHeader = "Payrack-Report-Length"
	// ReasonHeader carries the reason, percent-encoded UTF-8.
	ReasonHeader = "Payrack-Reason"
)

const (
	// MaxUpload bounds an uploaded binary, in bytes.
	MaxUpload = 512 << 20
	// uploadFor is how long the body may take: 512 MiB at 1 MiB a second, and some.
	uploadFor = 10 * time.Minute
	// installFor is how long the rest of an installation may take once the body is here.
	installFor = 2 * time.Minute
	// maxUploads bounds the uploads at one time, and so what they take of the disk.
	maxUploads = 2
)

const mediaBinary = "application/octet-stream"

func isUpload(r *http.Request) bool {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && got == mediaBinary
}

// upload installs the binary in the body. It is written to a private file as it comes and is gone again when the answer
// is written; what is kept is the core's own copy.
func (a *api) upload(c echo.Context, p access.Principal) error {
	r := c.Request()
	command, reportLength, err := uploadOf(r)
	if err != nil {
		return err
	}
	select {
	case a.uploads <- struct{}{}:
		defer func() { <-a.uploads }()
	default:
		return &httpkit.RefusalError{
			Status: http.StatusTooManyRequests, Code: "uploads_busy", RetryAfter: 10 * time.Second,
			Message: "Other uploads are under way; try again when they are done.",
		}
	}
	// The limits of the plane are for small bodies. A writer that takes no deadline has none.
	control := http.NewResponseController(c.Response())
	_ = control.SetReadDeadline(time.Now().Add(uploadFor))
	_ = control.SetWriteDeadline(time.Now().Add(uploadFor + installFor))
	body := http.MaxBytesReader(c.Response(), r.Body, MaxUpload+reportLength)
	if reportLength > 0 {
		command.Report = make([]byte, reportLength)
		if _, err := io.ReadFull(body, command.Report); err != nil {
			return cutUpload(c, err)
		}
	}
	if command.Path, err = a.receive(body); err != nil {
		return cutUpload(c, err)
	}
	defer func() { _ = os.Remove(command.Path) }() // the core has its own copy by now
	command.Upload, command.Actor = true, p.Client
	return a.installed(c, command)
}

// uploadOf reads the headers of an upload.
func uploadOf(r *http.Request) (inbound.InstallPlugin, int64, error) {
	var c inbound.InstallPlugin
	if text := r.Header.Get(SignatureHeader); text != "" {
		signature, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(signature) == 0 {
			return c, 0, invalid("", "invalid_format", "The header "+SignatureHeader+" is the text of the .minisig file in standard base64.")
		}
		c.Signature = signature
	}
	var length int64
	if text := r.Header.Get(ReportLengthHeader); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 || n > maxInstall {
			return c, 0, invalid("", "out_of_range", "The header "+ReportLengthHeader+" is the length of the report at the beginning of the body, at most 1 MiB.")
		}
		length = n
	}
	reason, err := url.PathUnescape(r.Header.Get(ReasonHeader))
	if err != nil {
		return c, 0, invalid("", "invalid_format", "The header "+ReasonHeader+" is percent-encoded UTF-8.")
	}
	c.Reason = reason
	return c, length, checkReason(reason)
}

// receive writes the body to a private file and returns its path.
func (a *api) receive(body io.Reader) (path string, err error) {
	if a.UploadDir != "" {
		if err := os.MkdirAll(a.UploadDir, 0o700); err != nil {
			return "", fmt.Errorf("make the folder of uploads: %w", err)
		}
		a.sweepUploads()
	}
	file, err := os.CreateTemp(a.UploadDir, uploadPrefix+"*")
	if err != nil {
		return "", fmt.Errorf("make a file for an upload: %w", err)
	}
	_, err = io.Copy(file, body)
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(file.Name())
		return "", fmt.Errorf("receive an upload: %w", err)
	}
	return file.Name(), nil
}

const (
	uploadPrefix = "upload-"
	// uploadGone is longer than the longest upload takes: what is older was left by a process that was killed.
	uploadGone = 2 * (uploadFor + installFor)
)

// sweepUploads removes what killed processes left: each may be half a gigabyte.
func (a *api) sweepUploads() {
	entries, err := os.ReadDir(a.UploadDir)
	if err != nil {
		return // what cannot be listed is no reason to take no upload
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), uploadPrefix) && time.Since(info.ModTime()) > uploadGone {
			_ = os.Remove(filepath.Join(a.UploadDir, e.Name()))
		}
	}
}

// cutUpload is the answer to a body that did not arrive whole. The rest of it is no request, so the connection ends.
func cutUpload(c echo.Context, err error) error {
	c.Response().Header().Set("Connection", "close")
	_, long := errors.AsType[*http.MaxBytesError](err)
	_, disk := errors.AsType[*os.PathError](err)
	switch {
	case long:
		return &httpkit.RefusalError{
			Status: http.StatusRequestEntityTooLarge, Code: "body_too_large", Message: "A binary has at most 512 MiB.",
		}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &httpkit.RefusalError{
			Status: http.StatusRequestTimeout, Code: "request_timeout", Message: "The upload did not arrive in ten minutes.",
		}
	case disk:
		return fmt.Errorf("keep an upload: %w", err) // ours, and nothing that the client can mend
	}
	return &httpkit.RefusalError{
		Status: http.StatusBadRequest, Code: "incomplete_body", Message: "The upload ended before its announced length.",
	}
}
