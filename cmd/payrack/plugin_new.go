package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/plugins/scaffold"
)

// maxGatewayFile bounds the description of a gateway.
const maxGatewayFile = 8 << 20

// newPluginOptions are the flags of plugin new.
type newPluginOptions struct {
	module, dir, paymentType, sdk, openAPI, curl, fakeGateway string
	roles                                                     []string
}

func (c *cli) pluginNewCommand() *cobra.Command {
	var o newPluginOptions
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Write the project of a new provider: it builds and passes its tests at once",
		Long: "Write the project of a new provider plugin into the folder payrack-provider-NAME: a Go module with a payment,\n" +
			"a search and a refund, a fake gateway, tests and the conformance kit. `make` in it builds and tests it.\n\n" +
			"With --openapi or --curl the endpoints, columns and answers are those of a real gateway. What had to be guessed\n" +
			"stands in the project's README.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.pluginNew(cmd.Context(), args[0], o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.module, "module", "", "path of the Go module (default payrack-provider-NAME)")
	f.StringVar(&o.dir, "dir", "", "folder to write into; it must not exist or be empty (default ./payrack-provider-NAME)")
	f.StringVar(&o.paymentType, "type", "", "payment type, as clients send it (default NAME_PAY in capitals)")
	f.StringVar(&o.sdk, "sdk", "", "folder of a checkout of payrack to take the SDK from, instead of its published version")
	f.StringVar(&o.openAPI, "openapi", "", "the gateway's OpenAPI 3 document, JSON or YAML")
	f.StringVar(&o.curl, "curl", "", "recorded exchanges with the gateway: curl commands and what they printed with -i")
	f.StringVar(&o.fakeGateway, "fake-gateway", "127.0.0.1:8099", "address of the project's fake gateway")
	f.StringArrayVar(&o.roles, "role", nil, "ROLE=MEMBER: order, amount, currency, code, transaction or return_code of the gateway, "+
		"where the name does not tell (repeatable)")
	return cmd
}

func (c *cli) pluginNew(ctx context.Context, name string, o newPluginOptions) error {
	gateway, err := o.gateway(ctx)
	if err != nil {
		return err
	}
	if o.sdk != "" {
		if o.sdk, err = checkout(o.sdk); err != nil {
			return err
		}
	}
	files, err := scaffold.Project(scaffold.Options{
		Name: name, Module: o.module, Type: o.paymentType, SDK: o.sdk, SDKVersion: publishedVersion(version, o.sdk), FakeGateway: o.fakeGateway,
		Gateway: gateway, FromFile: o.openAPI+o.curl != "",
	})
	if err != nil {
		return usagef("%v", err)
	}
	if o.dir == "" {
		o.dir = "payrack-provider-" + name
	}
	if err := scaffold.Write(o.dir, files); err != nil {
		return refusedf("%v", err)
	}
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = filepath.Join(o.dir, filepath.FromSlash(f.Path))
	}
	if c.output == "json" {
		return c.print(map[string]any{"dir": o.dir, "files": paths, "notes": gateway.Notes}, table{})
	}
	c.say("wrote %d files into %s", len(files), o.dir)
	for _, note := range gateway.Notes {
		c.say("to check: %s", note)
	}
	c.say("next: cd %s && make", o.dir)
	return nil
}

func (o newPluginOptions) gateway(ctx context.Context) (scaffold.Gateway, error) {
	roles := map[string]string{}
	for _, r := range o.roles {
		role, member, ok := strings.Cut(r, "=")
		if !ok || member == "" || !scaffold.KnownRole(role) {
			return scaffold.Gateway{}, usagef("--role %q: write it as ROLE=MEMBER, such as order=merchantOrderNo", r)
		}
		roles[role] = member
	}
	if o.openAPI != "" && o.curl != "" {
		return scaffold.Gateway{}, usagef("choose --openapi or --curl")
	}
	path, read := o.openAPI, func(text []byte) (scaffold.Gateway, error) { return scaffold.FromOpenAPI(ctx, text, roles) }
	switch {
	case o.curl != "":
		path, read = o.curl, func(text []byte) (scaffold.Gateway, error) { return scaffold.FromCurl(text, roles) }
	case path == "" && len(roles) > 0:
		return scaffold.Gateway{}, usagef("--role goes with --openapi or --curl")
	case path == "":
		return scaffold.Example(), nil
	}
	text, err := readGatewayFile(path)
	if err != nil {
		return scaffold.Gateway{}, err
	}
	gateway, err := read(text)
	if err != nil {
		return scaffold.Gateway{}, refusedf("%s: %v", path, err)
	}
	return gateway, nil
}

func readGatewayFile(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the caller names it
	if err != nil {
		return nil, fmt.Errorf("read the description of the gateway: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxGatewayFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the description of the gateway: %w", err)
	}
	if len(text) > maxGatewayFile {
		return nil, refusedf("%s is longer than %d MiB", path, maxGatewayFile>>20)
	}
	return text, nil
}

// checkout is the absolute path of a folder that is payrack's module.
func checkout(dir string) (string, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find --sdk: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(absolute, "go.mod")) //nolint:gosec // the caller names it
	if err != nil || !strings.Contains(string(text), "module github.com/payrack/payrack\n") {
		return "", refusedf("--sdk %s is no checkout of github.com/payrack/payrack", dir)
	}
	return absolute, nil
}

var (
	released = regexp.MustCompile(`^v?(\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?)$`)
	// described is a version of a commit between two releases, which nobody can fetch.
	described = regexp.MustCompile(`-\d+-g[0-9a-f]+|-dirty|-dev`)
)

// publishedVersion is the version of the SDK that goes with this program; empty lets Go take the newest.
func publishedVersion(stamped, sdk string) string {
	if m := released.FindStringSubmatch(stamped); m != nil && sdk == "" && !described.MatchString(stamped) {
		return "v" + m[1]
	}
	return ""
}
