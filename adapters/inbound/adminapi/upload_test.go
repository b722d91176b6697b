package adminapi_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/adapters/inbound/adminapi"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/inbound"
)

func (p *plane) upload(body io.Reader, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/admin/v1/plugins/releases", body)
	r.Header.Set("Authorization", "Bearer operator")
	r.Header.Set("Content-Type", "application/octet-stream")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}

func (p *plane) left(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(p.uploads)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// An upload is there, whole and private, while the core looks at it, and gone afterwards.
func TestUpload(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prefix string
		header map[string]string
		want   inbound.InstallPlugin
	}{
		"binary": {want: inbound.InstallPlugin{Upload: true, Actor: "ops"}},
		"signed": {
			header: map[string]string{
				adminapi.SignatureHeader: base64.StdEncoding.EncodeToString([]byte("untrusted comment: x\nRWQ\n")), adminapi.ReasonHeader: "%E4%BF%AE fix",
			},
			want: inbound.InstallPlugin{Upload: true, Actor: "ops", Reason: "修 fix", Signature: []byte("untrusted comment: x\nRWQ\n")},
		},
		"with a report": {
			prefix: `{"report":1}`, header: map[string]string{adminapi.ReportLengthHeader: "12"},
			want: inbound.InstallPlugin{Upload: true, Actor: "ops", Report: []byte(`{"report":1}`)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t, nil)
			binary := bytes.Repeat([]byte("\x7fELF binary "), 100<<10) // longer than any JSON body may be
			var kept []byte
			var mode os.FileMode
			p.rack.taken = func(c inbound.InstallPlugin) {
				kept, _ = os.ReadFile(c.Path)
				if info, err := os.Stat(c.Path); err == nil {
					mode = info.Mode()
				}
			}
			w := p.upload(io.MultiReader(strings.NewReader(tt.prefix), bytes.NewReader(binary)), tt.header)
			if w.Code != 201 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if !bytes.Equal(kept, binary) || mode != 0o600 {
				t.Errorf("the core saw %d bytes of %d, mode %v", len(kept), len(binary), mode)
			}
			got := p.rack.installed[0]
			if got.Path == "" {
				t.Error("no path")
			}
			got.Path = ""
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if p.left(t) != 0 {
				t.Error("the file of the upload is still there")
			}
		})
	}
}

func TestBadUploads(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header map[string]string
		body   string
		length int64
		code   string
		status int
	}{
		"signature":     {header: map[string]string{adminapi.SignatureHeader: "not base64!"}, body: "x", code: "invalid_format", status: 400},
		"report length": {header: map[string]string{adminapi.ReportLengthHeader: "-1"}, body: "x", code: "out_of_range", status: 400},
		"long report":   {header: map[string]string{adminapi.ReportLengthHeader: "2000000"}, body: "x", code: "out_of_range", status: 400},
		"short report":  {header: map[string]string{adminapi.ReportLengthHeader: "10"}, body: "x", code: "incomplete_body", status: 400},
		"reason":        {header: map[string]string{adminapi.ReasonHeader: "%zz"}, body: "x", code: "invalid_format", status: 400},
		"long reason":   {header: map[string]string{adminapi.ReasonHeader: strings.Repeat("a", 501)}, body: "x", code: "too_long", status: 400},
		"reason NUL":    {header: map[string]string{adminapi.ReasonHeader: "a%00"}, body: "x", code: "invalid_format", status: 400},
		"reason bytes":  {header: map[string]string{adminapi.ReasonHeader: "%ff"}, body: "x", code: "invalid_format", status: 400},
		"huge":          {body: "x", length: 600 << 20, code: "body_too_large", status: 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t, nil)
			r := httptest.NewRequest(http.MethodPost, "/admin/v1/plugins/releases", strings.NewReader(tt.body))
			r.Header.Set("Authorization", "Bearer operator")
			r.Header.Set("Content-Type", "application/octet-stream")
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			if tt.length > 0 {
				r.ContentLength = tt.length
			}
			w := httptest.NewRecorder()
			p.handler.ServeHTTP(w, r)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), `"code":"`+tt.code+`"`) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if len(p.rack.installed) > 0 || p.left(t) != 0 {
				t.Error("something of it is left")
			}
		})
	}
	// What the core refuses leaves nothing behind either.
	p := newPlane(t, nil)
	p.rack.fails = fault.New(fault.Invalid, "signature_invalid", "No signature.")
	if w := p.upload(strings.NewReader("x"), nil); w.Code != 422 || p.left(t) != 0 {
		t.Errorf("%d %s, %d files left", w.Code, w.Body, p.left(t))
	}
}

// A connection that breaks in the middle leaves nothing; and no more than two uploads are received at once.
func TestUploadsAreBounded(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	server := httptest.NewUnstartedServer(p.handler)
	server.Config = adminapi.NewServer(p.handler, adminapi.ServerOptions{WriteTimeout: time.Minute, Log: slog.New(slog.DiscardHandler)})
	server.Start()
	defer server.Close()
	send := func(body io.Reader) (int, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/admin/v1/plugins/releases", body)
		if err != nil {
			return 0, err
		}
		r.ContentLength = 1 << 20
		r.Header.Set("Authorization", "Bearer operator")
		r.Header.Set("Content-Type", "application/octet-stream")
		w, err := server.Client().Do(r)
		if err != nil {
			return 0, err
		}
		return w.StatusCode, w.Body.Close()
	}
	var hanging sync.WaitGroup
	var ends []*io.PipeWriter
	for range 2 {
		reader, writer := io.Pipe()
		ends = append(ends, writer)
		hanging.Go(func() {
			if status, err := send(reader); err == nil {
				t.Errorf("half an upload was answered with %d", status)
			}
		})
		if _, err := writer.Write([]byte("begun")); err != nil {
			t.Fatal(err)
		}
	}
	for p.left(t) < 2 {
		time.Sleep(time.Millisecond)
	}
	if w := p.upload(strings.NewReader("x"), nil); w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("a third upload: %d %s", w.Code, w.Body)
	}
	for _, writer := range ends {
		_ = writer.CloseWithError(io.ErrClosedPipe)
	}
	hanging.Wait()
	for p.left(t) > 0 {
		time.Sleep(time.Millisecond)
	}
	if len(p.rack.installed) > 0 {
		t.Error("half an upload was installed")
	}
	for w := p.upload(strings.NewReader("x"), nil); w.Code != 201; w = p.upload(strings.NewReader("x"), nil) {
		if w.Code != 429 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		time.Sleep(time.Millisecond)
	}
	if got := strconv.Itoa(len(p.rack.installed)); got != "1" {
		t.Errorf("%s installed", got)
	}
}

// What a killed process left of an upload goes with the next one; what another process receives now stays.
func TestLeftUploadsAreRemoved(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	for name, age := range map[string]time.Duration{"upload-old": time.Hour, "upload-new": time.Minute, "notes": time.Hour} {
		path := filepath.Join(p.uploads, name)
		then := time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Chtimes(path, then, then)); err != nil {
			t.Fatal(err)
		}
	}
	if w := p.upload(strings.NewReader("x"), nil); w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	entries, err := os.ReadDir(p.uploads)
	if err != nil || len(entries) != 2 || entries[0].Name() != "notes" || entries[1].Name() != "upload-new" {
		t.Errorf("%v, %v", entries, err)
	}
}
