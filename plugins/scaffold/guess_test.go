package scaffold_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/plugins/scaffold"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// shape is what was understood of an operation, short enough to read.
func shape(o scaffold.Operation) []string {
	out := []string{o.Method + " " + o.Path + " paid " + o.Paid + " refused " + o.Refused + " missing " + o.Missing}
	for _, m := range o.Request {
		out = append(out, m.In+" "+m.Name+" is "+m.Role)
	}
	for _, l := range o.Answer {
		if l.Role != "" {
			out = append(out, "answers "+l.String()+" as "+l.Role)
		}
	}
	return out
}

func operation(t *testing.T, g scaffold.Gateway, k provider.Kind) scaffold.Operation {
	t.Helper()
	o, ok := g.Operation(k)
	if !ok {
		t.Fatalf("there is no %s", k)
	}
	return o
}

func TestFromOpenAPI(t *testing.T) {
	t.Parallel()
	g := gateways(t)["openapi"]
	if g.Title != "Rest Pay" || g.Live != "https://api.restpay.example/v2" || g.Auth != scaffold.AuthBearer || !g.Minor {
		t.Errorf("got %+v", g)
	}
	if diff := cmp.Diff([]string{"USD", "TWD"}, g.Currencies); diff != "" {
		t.Errorf("currencies (-want +got):\n%s", diff)
	}
	want := map[provider.Kind][]string{
		provider.KindPay: {
			"POST /charges paid succeeded refused failed missing ",
			"body merchantOrderNo is order", "body amount is amount", "body currency is currency", "body paymentCode is code",
			"body description is description", "body items is ", "body terminal is ",
			"answers data[].amount as amount", "answers data[].currency as currency", "answers data[].id as transaction",
			"answers data[].merchantOrderNo as order", "answers result.status as return_code",
		},
		provider.KindSearch: {
			"GET /charges/{merchantOrderNo} paid succeeded refused  missing NOT_FOUND",
			"path merchantOrderNo is order",
			"answers data[].amount as amount", "answers data[].amountRefunded as refunded", "answers data[].currency as currency",
			"answers data[].id as transaction", "answers data[].merchantOrderNo as order", "answers result.status as return_code",
		},
		provider.KindRefund: {
			"POST /charges/{merchantOrderNo}/refunds paid succeeded refused failed missing ",
			"path merchantOrderNo is order", "body amount is amount", "body refundNo is reference", "body reason is ",
			"answers data[].amount as amount", "answers data[].currency as currency", "answers data[].id as transaction",
			"answers data[].merchantOrderNo as order", "answers result.status as return_code",
		},
	}
	for k, lines := range want {
		if diff := cmp.Diff(lines, shape(operation(t, g, k))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", k, diff)
		}
	}
	if diff := cmp.Diff([]int{402}, operation(t, g, provider.KindPay).Statuses); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestFromCurl(t *testing.T) {
	t.Parallel()
	g := gateways(t)["curl"]
	if diff := cmp.Diff([]string{"USD"}, g.Currencies); diff != "" {
		t.Errorf("currencies (-want +got):\n%s", diff)
	}
	if g.Live != "https://pay.shop.example" || g.Auth != scaffold.AuthHeaderKey || g.AuthHeader != "X-Api-Key" {
		t.Errorf("got %+v", g)
	}
	if diff := cmp.Diff([]string{
		"POST /api/trade/pay paid 00 refused DECLINED missing ",
		"body mid is account", "body out_trade_no is order", "body total_fee is amount", "body currency is currency", "body auth_code is code",
		"body terminal is ", "body subject is description",
		"answers resp_code as return_code", "answers trade_no as transaction", "answers out_trade_no as order", "answers total_fee as amount",
	}, shape(operation(t, g, provider.KindPay))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{402}, operation(t, g, provider.KindPay).Statuses); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

// A recording holds secrets; none of them may reach the project.
func TestNoSecretOfARecordingIsKept(t *testing.T) {
	t.Parallel()
	for name, g := range gateways(t) {
		files, err := scaffold.Project(scaffold.Options{Name: "acme", Gateway: g})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if bytes.Contains(f.Data, []byte("canary")) || bytes.Contains(f.Data, []byte("280001")) {
				t.Errorf("%s: %s holds a secret of the recording", name, f.Path)
			}
			if strings.HasSuffix(f.Path, ".json") && !json.Valid(f.Data) {
				t.Errorf("%s: %s is no JSON", name, f.Path)
			}
		}
	}
}

func TestRolesThatAreNamed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "rest.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	strange := bytes.ReplaceAll(text, []byte("merchantOrderNo"), []byte("yourSign"))
	if _, err := scaffold.FromOpenAPI(t.Context(), strange, nil); err == nil || !strings.Contains(err.Error(), "--role order=MEMBER") {
		t.Errorf("got %v", err)
	}
	g, err := scaffold.FromOpenAPI(t.Context(), strange, map[string]string{"order": "yourSign"})
	if err != nil {
		t.Fatal(err)
	}
	if got := shape(operation(t, g, provider.KindPay))[1]; got != "body yourSign is order" {
		t.Errorf("got %s", got)
	}
}

// A document of somebody else becomes source: it must not be able to write some.
func TestNamesCannotWriteSource(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "rest.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	titled := bytes.Replace(text, []byte("title: Rest Pay"), []byte(`title: "Rest\npackage main; func init() { panic(1) }\n//"`), 1)
	g, err := scaffold.FromOpenAPI(t.Context(), titled, nil)
	if err != nil {
		t.Fatal(err)
	}
	files, err := scaffold.Project(scaffold.Options{Name: "acme", Gateway: g})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		for line := range strings.Lines(string(f.Data)) {
			if strings.Contains(line, "panic(1)") && strings.HasSuffix(f.Path, ".go") && !strings.HasPrefix(line, "//") {
				t.Errorf("%s: %s", f.Path, line)
			}
		}
	}
	for _, name := range []string{"a`b", `a\"b`, `a\nb`} {
		strange := bytes.ReplaceAll(text, []byte("amountRefunded"), []byte(`"`+name+`"`))
		if _, err := scaffold.FromOpenAPI(t.Context(), strange, nil); err == nil || !strings.Contains(err.Error(), "cannot be written in Go") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnusableFiles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":     "no OpenAPI 3 document",
		"{}":   "no OpenAPI 3 document",
		"\x00": "cannot be read",
		`{"openapi":"3.0.0","info":{"title":"x","version":"1"},"paths":{"/a":{"get":{"responses":{}}}}}`: "nothing in the file looks like a payment",
	} {
		if _, err := scaffold.FromOpenAPI(t.Context(), []byte(text), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"":           "no curl command",
		"curl 'open": "quotation does not end",
		"curl /pay":  "no address with a host",
		"curl http://h/pay -d '{}'\nHTTP/1.1 200 OK\n\nnothing": "there is no JSON object",
		"curl http://h/pay -d '{\"a\":1}'\n{\"b\":":             "it is no JSON object",
		"curl http://h/nothing\n{}":                             "nothing in the file looks like a payment",
	} {
		if _, err := scaffold.FromCurl([]byte(text), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	good := scaffold.Options{Name: "acme", Gateway: scaffold.Example()}
	for want, change := range map[string]func(*scaffold.Options){
		"must be lower case":     func(o *scaffold.Options) { o.Name = "Acme" },
		"no path of a Go module": func(o *scaffold.Options) { o.Module = "a b" },
		"must be of A-Z":         func(o *scaffold.Options) { o.Type = "acme" },
		"no version such as":     func(o *scaffold.Options) { o.SDKVersion = "1" },
		"nothing is known about": func(o *scaffold.Options) { o.Gateway = scaffold.Gateway{} },
	} {
		o := good
		change(&o)
		if _, err := scaffold.Project(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestWriteOverwritesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := scaffold.Write(dir, []scaffold.File{{Path: "mine", Data: []byte("yours")}}); err == nil {
		t.Error("a folder that is not empty was written into")
	}
	if text, err := os.ReadFile(filepath.Join(dir, "mine")); err != nil || len(text) != 0 {
		t.Errorf("got %q, %v", text, err)
	}
}

// The same gateway makes the same bytes, so that a project can be compared with a newer scaffold's.
func TestProjectIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	for name, g := range gateways(t) {
		first, err := scaffold.Project(scaffold.Options{Name: "acme", Gateway: g})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			again, err := scaffold.Project(scaffold.Options{Name: "acme", Gateway: gateways(t)[name]})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(first, again); diff != "" {
				t.Fatalf("%s (-first +again):\n%s", name, diff)
			}
		}
	}
}

func FuzzFromCurl(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "recorded.txt"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("curl -G http://h/pay/12345 -d a=1\n{\"code\":[{\"a\":1}]}"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		g, err := scaffold.FromCurl(text, nil)
		if err == nil {
			_, _ = scaffold.Project(scaffold.Options{Name: "acme", Gateway: g})
		}
	})
}
