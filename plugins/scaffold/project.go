package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/format"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

//go:embed templates
var templates embed.FS

// Options say what project to write.
type Options struct {
	// Name of the provider, lower case: [a-z][a-z0-9-]{0,31}.
	Name string
	// Module is the path of the Go module. Empty is "payrack-provider-NAME".
	Module string
	// Type is the payment type. Empty is made from the name: ACME_PAY of "acme".
	Type string
	// SDK is the folder of a checkout of payrack to take the SDK from, or empty.
	SDK string
	// SDKVersion is the version of the SDK, such as "v1.2.3", or empty for the newest.
	SDKVersion string
	// FakeGateway is the address of the fake gateway. Empty is 127.0.0.1:8099.
	FakeGateway string
	// Gateway is what is known of the gateway.
	Gateway Gateway
	// FromFile: Gateway was read from a file.
	FromFile bool
}

// File is one file of a project.
type File struct {
	// Path below the project's folder, with slashes.
	Path string
	Data []byte
}

var (
	namePattern    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	typePattern    = regexp.MustCompile(`^[A-Z0-9_]{1,64}$`)
	modulePattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~/-]*$`)
	versionPattern = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+([-+.][0-9A-Za-z.+-]+)?$`)
)

// goVersion is the oldest Go that builds a project; it is the SDK's.
const goVersion = "1.26.0"

// Project writes the files of a new provider.
func Project(o Options) ([]File, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	p := newPage(o)
	files, err := p.schemas(o.Gateway)
	if err != nil {
		return nil, err
	}
	for name, target := range map[string]string{
		"main.go": "", "provider.go": "", "codes.go": "", "sign.go": "", "answer.go": "", "provider_test.go": "", "conformance_test.go": "",
		"go.mod": "", "Makefile": "", "README.md": "", "gitignore": ".gitignore", "ci.yml": ".github/workflows/ci.yml",
		"fakegateway/fakegateway.go": "", "fakegateway/books.go": "", "fakegateway/sender.go": "", "fakegateway/cmd/main.go": "",
	} {
		data, err := render(name, p)
		if err != nil {
			return nil, err
		}
		if target == "" {
			target = name
		}
		files = append(files, File{target, data})
	}
	for _, v := range p.Operations {
		data, err := render("operation.go", v)
		if err != nil {
			return nil, err
		}
		files = append(files, File{v.Kind + ".go", data})
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

func (o *Options) complete() error {
	if !namePattern.MatchString(o.Name) {
		return fmt.Errorf("the name %.40q must be lower case letters, digits and dashes, and begin with a letter", o.Name)
	}
	if o.Module == "" {
		o.Module = "payrack-provider-" + o.Name
	}
	if o.Type == "" {
		o.Type = strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_")) + "_PAY"
	}
	if o.FakeGateway == "" {
		o.FakeGateway = "127.0.0.1:8099"
	}
	switch {
	case !modulePattern.MatchString(o.Module):
		return fmt.Errorf("%.80q is no path of a Go module", o.Module)
	case !typePattern.MatchString(o.Type):
		return fmt.Errorf("the payment type %.80q must be of A-Z, 0-9 and _", o.Type)
	case o.SDKVersion != "" && !versionPattern.MatchString(o.SDKVersion):
		return fmt.Errorf("%.40q is no version such as v1.2.3", o.SDKVersion)
	case len(o.Gateway.Operations) == 0:
		return errors.New("nothing is known about the gateway")
	}
	if o.SDK != "" && o.SDKVersion == "" {
		o.SDKVersion = "v0.0.0" // the replacement has no version
	}
	return nil
}

// page is what the templates see.
type page struct {
	Name, Module, Type, Title, Label, GoVersion, SDK, SDKVersion, FakeGateway string
	Live, LiveQuoted, HomeCurrency, Statuses                                  string
	Auth, AuthHeaderQuoted                                                    string
	Currencies                                                                []currency
	Operations                                                                []operationPage
	PaidCodes, RefusedCodes, Notes, Bodies                                    []string
	Minor, Implied, Lists, FoundByOrder, HasRefund, PayRefused, FromFile      bool
	RefundUnits                                                               int
	ConformanceColumns                                                        []field
}

type currency struct {
	Code     string
	Exponent int
}

// operationPage is what the template of an operation sees.
type operationPage struct {
	view

	HasMessage bool
	// Fail is the function that makes an answer of a failure.
	Fail string
}

func newPage(o Options) page {
	g := o.Gateway
	p := page{
		Name: o.Name, Module: o.Module, Type: o.Type, Title: g.Title, GoVersion: goVersion, SDK: o.SDK, SDKVersion: o.SDKVersion,
		FakeGateway: o.FakeGateway, Live: g.Live, LiveQuoted: strconv.Quote(g.Live), HomeCurrency: g.Currencies[0], Auth: string(g.Auth),
		AuthHeaderQuoted: strconv.Quote(g.AuthHeader), Notes: g.Notes, FromFile: o.FromFile, RefundUnits: 29, Minor: g.Minor,
		Label: strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_")),
	}
	for _, code := range g.Currencies {
		p.Currencies = append(p.Currencies, currency{code, exponents[code]})
	}
	var statuses []int
	for _, op := range g.Operations {
		v := operationPage{view: op.view(g.Minor), Fail: "failed"}
		v.HasMessage = v.Message != nil
		if op.Kind == provider.KindSearch {
			v.Fail, p.FoundByOrder = "failedSearch", v.FoundByOrder
		}
		p.Operations = append(p.Operations, v)
		p.Implied = p.Implied || v.Implied
		add(&p.PaidCodes, strconv.Quote(op.Paid))
		if op.Refused != "" {
			add(&p.RefusedCodes, strconv.Quote(op.Refused))
		}
		for _, l := range op.Answer {
			p.Lists = p.Lists || l.Role != "" && slices.ContainsFunc(l.Path, func(s Step) bool { return s.List })
		}
		for _, s := range op.Statuses {
			if !slices.Contains(statuses, s) {
				statuses = append(statuses, s)
			}
		}
		if op.Kind == provider.KindRefund {
			p.HasRefund = true
			if _, ok := op.member(roleAmount); !ok {
				p.RefundUnits = 229 // this gateway gives all of it back
			}
		}
		if op.Kind == provider.KindPay {
			p.PayRefused = op.Refused != ""
			p.Bodies = op.bodies()
		}
		if c := op.conformanceColumns(); c != "" {
			p.ConformanceColumns = append(p.ConformanceColumns, field{Name: v.Title, Expr: c})
		}
	}
	p.RefusedCodes = slices.DeleteFunc(p.RefusedCodes, func(c string) bool { return slices.Contains(p.PaidCodes, c) })
	slices.Sort(statuses)
	var list []string
	for _, s := range statuses {
		list = append(list, strconv.Itoa(s))
	}
	p.Statuses = strings.Join(list, ", ")
	return p
}

func add(list *[]string, s string) {
	if !slices.Contains(*list, s) {
		*list = append(*list, s)
	}
}

// schemas writes the schema files and the routes of the fake gateway.
func (p page) schemas(g Gateway) ([]File, error) {
	var files []File
	routes := make([]orderedObject, 0, len(g.Operations))
	for _, o := range g.Operations {
		columns, err := o.columns(g.Currencies)
		if err != nil {
			return nil, err
		}
		answer, err := o.answerSchema()
		if err != nil {
			return nil, err
		}
		files = append(files, File{"schema/" + string(o.Kind) + ".json", columns}, File{"schema/" + string(o.Kind) + "_answer.json", answer})
		routes = append(routes, o.route(g.Minor))
	}
	raw, err := indented(routes)
	files = append(files, File{"fakegateway/routes.json", raw})
	if err == nil && g.Auth == AuthHMAC {
		raw, err = p.subject(g)
		files = append(files, File{"conformance.json", raw})
	}
	return files, err
}

// render executes a template; Go is formatted, and imports that it does not use are taken out.
func render(name string, data any) ([]byte, error) {
	text, err := templates.ReadFile("templates/" + name + ".tmpl")
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", name, err)
	}
	t, err := template.New(name).Delims("<%", "%>").Option("missingkey=error").Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("template %s: %w", name, err)
	}
	if path.Ext(name) != ".go" {
		return bytes.TrimLeft(out.Bytes(), "\n"), nil
	}
	source, err := format.Source(withoutUnusedImports(out.Bytes()))
	if err != nil {
		return nil, fmt.Errorf("template %s makes no Go: %w", name, err)
	}
	return source, nil
}

var importLine = regexp.MustCompile(`(?m)^\t"([a-z0-9/.-]+)"\n`)

// withoutUnusedImports looks at the text only: no package here has a name that is also something else's.
func withoutUnusedImports(source []byte) []byte {
	head, body, found := bytes.Cut(source, []byte("\n)\n"))
	if !found {
		return source
	}
	head = importLine.ReplaceAllFunc(append(head, '\n'), func(line []byte) []byte {
		name := path.Base(strings.Trim(string(line), "\t\"\n"))
		if bytes.Contains(body, []byte(name+".")) {
			return line
		}
		return nil
	})
	return slices.Concat(head, []byte(")\n"), body)
}
