package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
)

// docs shows the API's document in a browser. The page and its scripts are part of the binary, and the
// browser is told to run nothing else: the inline parts of the page are named by their hashes.
type docs struct {
	handler http.Handler
	page    []byte
	policy  string
}

var (
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	inlineStyle  = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
)

func newDocs() (docs, error) {
	h := v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "payrack API", SwaggerJSON: openAPIPath, BasePath: docsPath,
		SettingsUI: map[string]string{"tryItOutEnabled": "false", "persistAuthorization": "false"},
	})
	page := &buffer{header: make(http.Header)}
	h.ServeHTTP(page, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: docsPath}})
	if page.status != 0 || page.Len() == 0 {
		return docs{}, errors.New("httpapi: the documentation page does not render")
	}
	d := docs{handler: h, page: page.Bytes()}
	d.policy = strings.Join([]string{
		"default-src 'none'", "script-src 'self'" + hashes(d.page, inlineScript), "style-src 'self'" + hashes(d.page, inlineStyle),
		"img-src 'self' data:", "connect-src 'self'", "font-src 'self'", "base-uri 'none'", "form-action 'none'",
		"frame-ancestors 'none'",
	}, "; ")
	return d, nil
}

func hashes(page []byte, inline *regexp.Regexp) string {
	var b strings.Builder
	for _, found := range inline.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(found[1])
		b.WriteString(" 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'")
	}
	return b.String()
}

func (d docs) headers(h http.Header) {
	h.Set("Content-Security-Policy", d.policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
}

func (d docs) index(c echo.Context) error {
	d.headers(c.Response().Header())
	httpkit.WriteBytes(c.Response(), http.StatusOK, "text/html; charset=utf-8", d.page)
	return nil
}

// docsAssets are the files beside the page.
var docsAssets = regexp.MustCompile(`^[a-z0-9-]+\.(js|css|png|html)$`)

func (d docs) asset(c echo.Context) error {
	if !docsAssets.MatchString(c.Param("*")) {
		return httpkit.NotFound() //nolint:wrapcheck // a refusal goes to the client as it is
	}
	d.headers(c.Response().Header())
	d.handler.ServeHTTP(&plainNotFound{ResponseWriter: c.Response()}, c.Request())
	return nil
}

// buffer keeps what a handler writes.
type buffer struct {
	bytes.Buffer
	header http.Header
	status int
}

func (b *buffer) Header() http.Header    { return b.header }
func (b *buffer) WriteHeader(status int) { b.status = status }

// plainNotFound keeps the file server from explaining itself.
type plainNotFound struct {
	http.ResponseWriter
	missing bool
}

func (w *plainNotFound) WriteHeader(status int) {
	w.missing = status == http.StatusNotFound
	w.ResponseWriter.WriteHeader(status)
}

func (w *plainNotFound) Write(b []byte) (int, error) {
	if w.missing {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b) //nolint:wrapcheck // io.Writer hands the error of the connection on as it is
}
