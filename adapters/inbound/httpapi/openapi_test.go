package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/payrack/payrack/adapters/inbound/httpapi"
	"github.com/payrack/payrack/core/catalogue"
)

func openAPI(t *testing.T, p *plane) ([]byte, *openapi3.T) {
	t.Helper()
	w := p.do(httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return w.Body.Bytes(), doc
}

func TestOpenAPIIsValid(t *testing.T) {
	t.Parallel()
	for name, types := range map[string][]catalogue.Type{"no payment types": nil, "two payment types": newFakeCatalogue().types} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t, nil)
			p.catalogue.types = types
			_, doc := openAPI(t, p)
			if err := doc.Validate(t.Context(), openapi3.EnableMultiError(), openapi3.EnableSchemaPatternValidation()); err != nil {
				t.Error(err)
			}
			if doc.OpenAPI != "3.1.0" {
				t.Errorf("version %s", doc.OpenAPI)
			}
		})
	}
}

// TestEveryRouteIsDocumented compares the routes that are served with the document, both ways.
func TestEveryRouteIsDocumented(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	_, doc := openAPI(t, p)
	var documented []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
		if _, ok := item.Extensions["x-payrack-query"]; ok {
			documented = append(documented, "QUERY "+path)
		}
	}
	served := httpapi.Routes(p.catalogue)
	served = slices.DeleteFunc(served, func(s string) bool { return s == "GET /docs/*" }) // the files of /docs
	slices.Sort(documented)
	slices.Sort(served)
	if diff := cmp.Diff(documented, served); diff != "" {
		t.Errorf("documented (-) and served (+): %s", diff)
	}
	// What is documented answers, and not with 404 or 405.
	fill := regexp.MustCompile(`\{id\}`)
	for _, route := range documented {
		method, path, _ := strings.Cut(route, " ")
		if path == "/v1/payment/callback/{id}" {
			continue // without a payment it is 404; TestEveryDocumentedStatus has it with one
		}
		w := p.do(httptest.NewRequest(method, fill.ReplaceAllString(path, paymentID), nil))
		if w.Code == 404 || w.Code == 405 {
			t.Errorf("%s: got %d", route, w.Code)
		}
	}
}

func TestOpenAPIHasTheColumns(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	text, doc := openAPI(t, p)
	columns := doc.Components.Schemas["DEMO_PAY.pay"].Value
	if columns == nil || columns.Properties["account_key"].Value.WriteOnly != true || columns.Required[0] != "amount" {
		t.Errorf("columns: %+v", columns)
	}
	if role := columns.Properties["amount"].Value.Extensions["x-payrack-role"]; role != "amount" {
		t.Errorf("role %v", role)
	}
	if got := columns.Properties["order_number"].Value; got == nil || got.MaxLength == nil || *got.MaxLength != 100 {
		t.Errorf("the reference inside the columns leads nowhere: %+v", got)
	}
	envelope := doc.Paths.Value("/v1/payment/integrate/pay").Post.RequestBody.Value.Content["application/json"].Schema.Value
	if len(envelope.OneOf) != 2 || envelope.OneOf[0].Ref != "#/components/schemas/DEMO_PAY.pay.envelope" {
		t.Errorf("envelope: %+v", envelope.OneOf)
	}
	answers := doc.Paths.Value("/v1/payment/integrate/search").Get.Responses.Value("200").Value.Content["application/json"].Schema.Value
	if len(answers.AnyOf) != 1 || answers.AnyOf[0].Ref != "#/components/schemas/DEMO_PAY.search.answer" {
		t.Errorf("answers: %+v", answers.AnyOf)
	}
	if !strings.Contains(string(text), "2019049910005496810") {
		t.Error("a 19-digit number of a schema lost digits")
	}
}

// TestOpenAPIOfACancellation shows that a type with a void is cancelled by the void's columns, another by the search's.
func TestOpenAPIOfACancellation(t *testing.T) {
	t.Parallel()
	_, doc := openAPI(t, newPlane(t, nil))
	var refs []string
	for _, one := range doc.Paths.Value("/v1/payment/integrate/cancel").Post.RequestBody.Value.Content["application/json"].Schema.Value.OneOf {
		refs = append(refs, one.Ref)
	}
	want := []string{"#/components/schemas/DEMO_PAY.void.envelope", "#/components/schemas/PLAIN_PAY.search.envelope"}
	if diff := cmp.Diff(want, refs); diff != "" {
		t.Error(diff)
	}
}

func TestOpenAPIFollowsTheCatalogue(t *testing.T) {
	t.Parallel()
	p := newPlane(t, nil)
	first, _ := openAPI(t, p)
	p.catalogue.types = p.catalogue.types[1:]
	second, doc := openAPI(t, p)
	if doc.Paths.Value("/v1/payment/demo/offline/pay") != nil || len(second) >= len(first) {
		t.Error("the document still has the routes of a provider that is gone")
	}
	if !json.Valid(second) {
		t.Error("not JSON")
	}
}
