package main

import (
	"bytes"
	"cmp"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/adapters/outbound/artifacts"
	"github.com/payrack/payrack/configs"
	"github.com/payrack/payrack/plugins/conformance"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// pushTimeout is how long a registry may take to accept an artifact.
const pushTimeout = 15 * time.Minute

// packFlags are the flags of plugin pack.
type packFlags struct {
	out, push, report, signKey string
	password                   passwordFlags
	username                   string
	registryPassword           string
	plainHTTP                  bool
	interpreters               []string
}

func (c *cli) pluginPackCommand() *cobra.Command {
	var f packFlags
	cmd := &cobra.Command{
		Use: "pack PATH", Short: "Make a release of a provider binary: an OCI artifact with its signature and its conformance report; needs no platform",
		Long: "Asks the binary for its name and version and packs it with its signature (PATH.minisig, or made here with --sign-key) and\n" +
			"its conformance report (--report, or PATH.report.json) into an OCI artifact: a folder that can be carried anywhere (--out), or\n" +
			"in a registry (--push). The same files make the same artifact.\n\n" +
			"A registry is shown what the docker configuration of this user holds for it, or --username and --registry-password-file.",
		Example: "  payrack plugin pack bin/payrack-provider-linepay --sign-key release.key --push registry.example.com/payrack/linepay\n" +
			"  payrack plugin pack bin/payrack-provider-linepay --out linepay-1.4.0.oci",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.out != "" && f.push != "" {
				return usagef("--out FOLDER or --push REFERENCE: choose one")
			}
			return c.packPlugin(cmd, args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.out, "out", "", "write an OCI layout to this folder (default: NAME-VERSION.oci)")
	flags.StringVar(&f.push, "push", "", "push to this repository of a registry; the tag is the version, if it names none")
	flags.StringVar(&f.report, "report", "", "its conformance report (default: PATH.report.json, if it is there)")
	flags.StringVar(&f.signKey, "sign-key", "", "sign with this minisign secret key (default: take PATH.minisig, if it is there)")
	flags.StringVar(&f.password.file, "password-file", "", "file whose first line is the password of --sign-key")
	flags.StringVar(&f.username, "username", "", "user of the registry")
	flags.StringVar(&f.registryPassword, "registry-password-file", "", "file whose first line is the user's password or token; only its owner may read it")
	flags.StringArrayVar(&f.interpreters, "interpreter", nil,
		"PATH@sha256:DIGEST of a program that the binary executes, for a provider in another language, as in plugins.sandbox.interpreters")
	flags.BoolVar(&f.plainHTTP, "plain-http", false, "push without TLS; to a registry on this machine only")
	return cmd
}

func (c *cli) packPlugin(cmd *cobra.Command, path string, f packFlags) error {
	info, digest, err := describePlugin(cmd.Context(), path, f.interpreters)
	if err != nil {
		return err
	}
	p := artifacts.Package{Binary: path, SHA256: digest, Name: info.Name, Version: info.Version}
	if p.OS, p.Arch, err = platformOf(path); err != nil {
		return err
	}
	if p.Description, err = descriptionOf(info, p); err != nil {
		return err
	}
	if p.Signature, err = c.signatureFor(cmd, p, f); err != nil {
		return err
	}
	if p.Report, err = reportFor(p, f.report); err != nil {
		return err
	}
	to := f.push
	if to == "" {
		// Whole, so that the reference that is printed means the same from everywhere on this machine.
		folder, err := filepath.Abs(cmp.Or(f.out, info.Name+"-"+info.Version+".oci"))
		if err != nil {
			return fmt.Errorf("find %s: %w", f.out, err)
		}
		to = "oci-layout:" + folder
	}
	store, err := artifacts.New(artifacts.Options{
		Timeout: pushTimeout,
		Registry: artifacts.Registry{
			Host: registryOf(f.push), Username: f.username, PasswordFile: f.registryPassword, PlainHTTP: f.plainHTTP,
		},
	})
	if err != nil {
		return refusedf("%w", err)
	}
	packed, err := store.Pack(cmd.Context(), p, to)
	if err != nil {
		return err
	}
	return c.tellPacked(p, packed)
}

func registryOf(reference string) string {
	registry, _, _ := strings.Cut(reference, "/")
	return registry
}

func (c *cli) tellPacked(p artifacts.Package, packed artifacts.Packed) error {
	made := struct {
		Name      string `json:"name"`
		Version   string `json:"version"`
		Platform  string `json:"platform"`
		SHA256    string `json:"sha256"`
		Reference string `json:"reference"`
		Tag       string `json:"tag"`
		Signed    bool   `json:"signed"`
		Reported  bool   `json:"reported"`
	}{p.Name, p.Version, p.OS + "/" + p.Arch, p.SHA256, packed.Reference, packed.Tag, p.Signature != nil, p.Report != nil}
	is := map[bool]string{true: "yes", false: "no"}
	t := table{}
	t.add("provider", made.Name+" "+made.Version+" for "+made.Platform)
	t.add("sha256", made.SHA256)
	t.add("signed", is[made.Signed])
	t.add("report", is[made.Reported])
	t.add("tag", made.Tag)
	t.add("reference", made.Reference)
	if err := c.print(made, t); err != nil {
		return err
	}
	if !made.Signed {
		c.say("it is not signed, so production does not install it: --sign-key FILE signs it")
	}
	c.say("next, at the platform: payrack plugin install %s", packed.Reference)
	return nil
}

// describePlugin asks a binary who it is, as the platform does when it installs it.
func describePlugin(ctx context.Context, path string, interpreters []string) (host.Info, string, error) {
	may := configs.Sandbox{Files: true, Network: true, Interpreters: interpreters}
	if len(may.Allowed()) != len(interpreters) {
		return host.Info{}, "", usagef("--interpreter: write it as /usr/bin/node@sha256:… with what sha256sum prints")
	}
	h, err := host.New(host.Options{RunDir: runDir(""), Shim: shimArguments(), Sandbox: sandboxOf(may)})
	if err != nil {
		return host.Info{}, "", fmt.Errorf("set up the plugin host: %w", err)
	}
	defer func() { _ = h.Close(ctx) }() // nothing of it runs any more
	info, digest, err := h.Describe(ctx, path)
	if refused, ok := errors.AsType[*host.Refused](err); ok {
		return host.Info{}, "", refusedf("%s (%s)", refused.Message, refused.Code)
	}
	return info, digest, err
}

// platformOf reads from the file for which machine it was built.
func platformOf(path string) (system, arch string, err error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", "", refusedf("%s is no ELF file: releases are static Linux programs (CGO_ENABLED=0 GOOS=linux go build)", path)
	}
	defer func() { _ = f.Close() }() // only read
	arches := map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_RISCV: "riscv64"}
	arch, known := arches[f.Machine]
	if !known {
		return "", "", refusedf("%s is built for %s, which no platform runs on", path, f.Machine)
	}
	return "linux", arch, nil
}

// description is what an artifact says about its binary, for people and for registries. The platform asks the binary.
type description struct {
	Name             string          `json:"name"`
	Version          string          `json:"version"`
	OS               string          `json:"os"`
	Arch             string          `json:"arch"`
	SHA256           string          `json:"sha256"`
	ContractRevision int             `json:"contract_revision"`
	Features         []string        `json:"features"`
	Types            []describedType `json:"types"`
}

type describedType struct {
	Name       string          `json:"name"`
	Currencies []string        `json:"currencies"`
	Operations []provider.Kind `json:"operations"`
}

func descriptionOf(info host.Info, p artifacts.Package) ([]byte, error) {
	d := description{
		Name: p.Name, Version: p.Version, OS: p.OS, Arch: p.Arch, SHA256: p.SHA256,
		ContractRevision: info.ContractRevision, Features: append([]string{}, info.Features...), Types: []describedType{},
	}
	for _, t := range info.Types {
		one := describedType{Name: t.Name, Currencies: []string{}, Operations: []provider.Kind{}}
		for _, m := range t.Currencies {
			one.Currencies = append(one.Currencies, m.Code)
		}
		for _, o := range t.Operations {
			one.Operations = append(one.Operations, o.Kind)
		}
		d.Types = append(d.Types, one)
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("write the description: %w", err)
	}
	return text, nil
}

// signatureFor signs the binary, or takes the signature beside it.
func (c *cli) signatureFor(cmd *cobra.Command, p artifacts.Package, f packFlags) ([]byte, error) {
	if f.signKey == "" {
		signature, err := artifacts.ReadSignature(p.Binary)
		if err != nil {
			return nil, refusedf("%w", err)
		}
		return signature, nil
	}
	key, err := c.signingKey(cmd, f.signKey, f.password)
	if err != nil {
		return nil, err
	}
	signature, digest, err := key.Sign(cmd.Context(), p.Binary)
	if err != nil {
		return nil, refusedf("%w", err)
	}
	if digest != p.SHA256 {
		return nil, refusedf("%s has changed while it was packed: pack it again", p.Binary)
	}
	return signature, nil
}

// reportFor reads the conformance report that was named, else the one beside the binary. It must be about this binary; who
// signed it is for the platform to judge.
func reportFor(p artifacts.Package, named string) ([]byte, error) {
	path := cmp.Or(named, p.Binary+reportSuffix)
	text, err := readReport(path)
	if errors.Is(err, fs.ErrNotExist) && named == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := conformance.ReadReport(bytes.TrimSpace(text))
	if err != nil {
		return nil, refusedf("%s is no conformance report: payrack plugin verify PATH --report FILE --sign-key KEY makes one", filepath.Base(path))
	}
	if r.SHA256 != p.SHA256 {
		return nil, refusedf("%s is about another binary (SHA-256 %s): verify this one with payrack plugin verify PATH --report FILE --sign-key KEY", filepath.Base(path), r.SHA256)
	}
	return text, nil
}
