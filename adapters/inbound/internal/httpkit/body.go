package httpkit

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
)

// The limits of a request.
const (
	MaxURL    = 8 << 10
	MaxBody   = 64 << 10
	MaxHeader = 16 << 10
)

// CheckSize refuses what can be seen to be too large before anything of it is read.
func CheckSize(r *http.Request, maxURL int, maxBody int64) error {
	if Of(r.Context()).URLLength() > maxURL {
		return &RefusalError{Status: http.StatusRequestURITooLong, Code: "uri_too_long", Message: "The URL is too long."}
	}
	if r.ContentLength > maxBody {
		return tooLarge()
	}
	return nil
}

// JSONMedia refuses everything but plain UTF-8 JSON.
func JSONMedia(r *http.Request) error { return media(r, mediaJSON) }

const mediaJSON = "application/json"

// FormMedia refuses everything but a plain URL-encoded form.
func FormMedia(r *http.Request) error { return media(r, "application/x-www-form-urlencoded") }

// IsForm reports whether the request says that it is a URL-encoded form.
func IsForm(r *http.Request) bool {
	said := r.Header.Get("Content-Type")
	if said == mediaJSON {
		return false
	}
	got, _, _ := mime.ParseMediaType(said)
	return got == "application/x-www-form-urlencoded"
}

func media(r *http.Request, want string) error {
	types := r.Header["Content-Type"]
	if len(types) != 1 {
		return unsupportedMedia(want)
	}
	if types[0] != want { // most clients send it just like that
		got, parameters, err := mime.ParseMediaType(types[0])
		if err != nil || got != want {
			return unsupportedMedia(want)
		}
		if charset, given := parameters["charset"]; given && !strings.EqualFold(charset, "utf-8") {
			return unsupportedMedia(want)
		}
	}
	for _, encoding := range r.Header["Content-Encoding"] {
		if encoding = strings.TrimSpace(encoding); encoding != "" && !strings.EqualFold(encoding, "identity") {
			return &RefusalError{
				Status: http.StatusUnsupportedMediaType, Code: "unsupported_encoding",
				Message: "Send the body without a content encoding.",
			}
		}
	}
	return nil
}

func unsupportedMedia(want string) error {
	return &RefusalError{
		Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type",
		Message: "Send the body as " + want + " in UTF-8.",
	}
}

// ReadBody reads a body up to the limit.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge()
	}
	body, err := readAll(w, r, limit)
	if err == nil {
		return body, nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge()
	}
	// The rest of the request is not known to be a request: the connection ends here.
	w.Header().Set("Connection", "close")
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, &RefusalError{
			Status: http.StatusRequestTimeout, Code: "request_timeout", Message: "The body did not arrive in time.",
		}
	}
	return nil, &RefusalError{
		Status: http.StatusBadRequest, Code: "incomplete_body", Message: "The body ended before its announced length.",
	}
}

// readAll reads an announced body in one piece; net/http ends it at its length.
func readAll(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength < 0 {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, limit)) //nolint:wrapcheck // the caller sorts it
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err //nolint:wrapcheck // the caller sorts it
}

func tooLarge() error {
	return &RefusalError{
		Status: http.StatusRequestEntityTooLarge, Code: "body_too_large", Message: "The body is too large.",
		Header: http.Header{"Connection": {"close"}},
	}
}
