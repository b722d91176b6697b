package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/adapters/inbound/adminapi"
)

// installFlags are the flags of plugin install.
type installFlags struct {
	orderFlags

	upload, report, signature string
}

func (c *cli) pluginInstallCommand() *cobra.Command {
	var f installFlags
	cmd := &cobra.Command{
		Use: "install PATH|REFERENCE", Short: "Install a provider release; it takes no traffic yet",
		Long: "Installs a binary that lies on the server (PATH), one of an OCI registry (REFERENCE, best by digest), or one that lies\n" +
			"here and is sent to the server (--upload FILE). A signature beside a file (FILE.minisig) goes with it. The release is\n" +
			"pinned by its digest and never changes.",
		Example: "  payrack plugin install /srv/plugins/payrack-provider-linepay\n" +
			"  payrack plugin install registry.example/payrack/linepay@sha256:…\n" +
			"  payrack plugin install --upload ./payrack-provider-linepay --report linepay.report.json",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (f.upload == "") == (len(args) == 0) {
				return usagef("name one binary: a PATH on the server, an OCI REFERENCE, or --upload FILE")
			}
			plane, err := f.plane()
			if err != nil {
				return err
			}
			var made map[string]any
			if f.upload != "" {
				err = f.send(cmd.Context(), plane, &made)
			} else {
				err = f.name(cmd.Context(), plane, args[0], &made)
			}
			if err != nil {
				return err
			}
			if err := c.show([]map[string]any{made}, made, []column{
				{"provider", "name"}, {"version", "version"}, {"sha256", "sha256"}, {"status", "status"}, {"signed by", "signed_by"},
			}); err != nil {
				return err
			}
			c.say("next: payrack plugin activate %v %v", made["name"], made["version"])
			return nil
		},
	}
	cmd.Flags().StringVar(&f.upload, "upload", "", "send this file to the server")
	cmd.Flags().StringVar(&f.report, "report", "", "its signed conformance report, as payrack plugin verify --report --sign-key writes it")
	cmd.Flags().StringVar(&f.signature, "signature", "", "its signature (default: FILE.minisig beside an uploaded file, PATH.minisig on the server)")
	f.add(cmd)
	return cmd
}

// isReference tells an OCI reference from a path: a registry's host comes first, and no file of that name is here.
func isReference(text string) bool {
	if strings.HasPrefix(text, "oci-layout:") {
		return true
	}
	if strings.HasPrefix(text, "/") || strings.HasPrefix(text, ".") {
		return false
	}
	host, rest, found := strings.Cut(text, "/")
	if !found || rest == "" || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return false
	}
	_, err := os.Stat(text)
	return errors.Is(err, fs.ErrNotExist)
}

// name installs what the server finds by itself.
func (f *installFlags) name(ctx context.Context, plane *caller, what string, made *map[string]any) error {
	body := map[string]string{}
	if isReference(what) {
		body["reference"] = what
	} else {
		path, err := filepath.Abs(what)
		if err != nil {
			return fmt.Errorf("find %s: %w", what, err)
		}
		body["path"] = path
	}
	if f.reason != "" {
		body["reason"] = f.reason
	}
	if f.signature != "" {
		text, err := readSignature(f.signature)
		if err != nil {
			return err
		}
		body["signature"] = string(text)
	}
	if f.report != "" {
		text, err := readReport(f.report)
		if err != nil {
			return err
		}
		body["report"] = string(text)
	}
	return plane.ask(ctx, http.MethodPost, releasesPath, body, made)
}

const releasesPath = "/admin/v1/plugins/releases"

// send uploads a file of this machine.
func (f *installFlags) send(ctx context.Context, plane *caller, made *map[string]any) error {
	file, err := os.Open(f.upload)
	if err != nil {
		return refusedf("the binary cannot be read: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("look at %s: %w", f.upload, err)
	case !info.Mode().IsRegular():
		return refusedf("%s is no file", f.upload)
	case info.Size() > adminapi.MaxUpload:
		return refusedf("%s has %d MiB; a release has at most %d", f.upload, info.Size()>>20, adminapi.MaxUpload>>20)
	}
	r := call{
		method: http.MethodPost, path: releasesPath, header: http.Header{"Content-Type": {"application/octet-stream"}},
		stream: file, length: info.Size(), timeout: uploadTimeout,
	}
	if f.reason != "" {
		r.header.Set(adminapi.ReasonHeader, url.PathEscape(f.reason))
	}
	signature, err := f.signatureOf(f.upload)
	if err != nil {
		return err
	}
	if signature != nil {
		r.header.Set(adminapi.SignatureHeader, base64.StdEncoding.EncodeToString(signature))
	}
	if f.report != "" {
		report, err := readReport(f.report)
		if err != nil {
			return err
		}
		r.header.Set(adminapi.ReportLengthHeader, strconv.Itoa(len(report)))
		r.stream, r.length = io.MultiReader(strings.NewReader(string(report)), file), info.Size()+int64(len(report))
	}
	return plane.exchange(ctx, r, made)
}

// signatureOf is the signature that was named, else the one beside the file, nil if there is none.
func (f *installFlags) signatureOf(file string) ([]byte, error) {
	if f.signature != "" {
		return readSignature(f.signature)
	}
	beside := file + ".minisig"
	if _, err := os.Stat(beside); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return readSignature(beside)
}

// maxSignature is far more than a signature has, and fits into a header.
const maxSignature = 4 << 10

func readSignature(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxSignature {
		return nil, refusedf("%s is too long for a signature", path)
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, refusedf("the signature cannot be read: %w", err)
	}
	return text, nil
}
