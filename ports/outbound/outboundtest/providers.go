package outboundtest

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/core/payment"
	"github.com/payrack/payrack/ports/outbound"
)

// ProvidersCase is an implementation of outbound.Providers and one payment type of it with the operations pay
// and search.
type ProvidersCase struct {
	Providers outbound.Providers
	// Type is the payment type.
	Type string
	// Pay is a native request that is taken and that the provider approves. Form is what is read from it,
	// but for Columns and Meaning.
	Pay  []byte
	Form outbound.Form
	// Values are the neutral ones that say what Pay says.
	Values catalogue.Values
	// Incomplete is Pay without its required column Missing.
	Incomplete []byte
	Missing    string
	// Instruction sends Pay; its Form is filled by the suite.
	Instruction outbound.Instruction
	// Question finds the payment that Instruction made; its Form is empty.
	Question outbound.Question
	// Mandate asks about a stored approval that can be charged; without a Token the type has none.
	Mandate outbound.MandateQuestion
	// Set is a stored credential set, Credential what is read from it, but for Set.
	Set        []byte
	Credential outbound.CredentialForm
	// Stop takes the provider down; nil if that cannot be done.
	Stop func()
}

// Providers is the contract of outbound.Providers. open is called twice: for the subtests that share a case,
// and for the one in which the provider is taken down.
func Providers(t *testing.T, open func(t *testing.T) ProvidersCase) {
	t.Helper()
	c := open(t)

	t.Run("a type that nobody has", func(t *testing.T) {
		t.Parallel()
		for name, message := range map[string]string{
			"NO_SUCH_PAY": "無此付款方式 NO_SUCH_PAY", "": "無此付款方式", "<script>": "無此付款方式", "A\nB": "無此付款方式",
			strings.Repeat("A", 65): "無此付款方式", strings.ToLower(c.Type): "無此付款方式 " + strings.ToLower(c.Type),
		} {
			_, openErr := c.Providers.Open(t.Context(), outbound.Route{Type: name})
			_, setErr := c.Providers.Credential(name, c.Set)
			_, readErr := c.Providers.Read(name, catalogue.Pay, []byte(`{}`))
			for _, err := range []error{openErr, setErr, readErr} {
				wantFault(t, err, fault.Invalid, "unknown_type")
				if got := faultOf(err).Message; got != message {
					t.Errorf("type %q: message %q, want %q", name, got, message)
				}
			}
		}
	})

	t.Run("types are described", func(t *testing.T) {
		t.Parallel()
		types := c.Providers.Types()
		if !slices.IsSortedFunc(types, func(a, b catalogue.Type) int { return strings.Compare(a.Name, b.Name) }) {
			t.Error("types are not sorted")
		}
		s := holdSession(t, c)
		at := slices.IndexFunc(types, func(x catalogue.Type) bool { return x.Name == c.Type })
		if at < 0 || !reflect.DeepEqual(types[at], s.Type()) {
			t.Fatalf("the session's type is not the listed one")
		}
		d := s.Type()
		if d.Provider == "" || d.Version == "" || d.MessageFrom == "" || len(d.Currencies) == 0 || d.AccountMember == "" {
			t.Errorf("incomplete: %+v", d)
		}
		for _, kind := range []catalogue.Kind{catalogue.Pay, catalogue.Search} {
			if o, ok := d.Find(kind); !ok || len(o.Columns) == 0 || o.MaxDuration <= 0 || o.MovesMoney != (kind == catalogue.Pay) {
				t.Errorf("operation %s: %+v", kind, o)
			}
		}
	})

	t.Run("a request is read", func(t *testing.T) {
		t.Parallel()
		s := holdSession(t, c)
		got, err := s.Form(catalogue.Pay, c.Pay)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Columns) == 0 || len(got.Meaning) == 0 {
			t.Errorf("columns %s, meaning %s", got.Columns, got.Meaning)
		}
		again, err := s.Form(catalogue.Pay, c.Pay)
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("reads differently again: %v", err)
		}
		unheld, err := c.Providers.Read(c.Type, catalogue.Pay, c.Pay)
		if err != nil || !reflect.DeepEqual(got, unheld) {
			t.Errorf("reads differently without a session: %v", err)
		}
		got.Columns, got.Meaning = nil, nil
		if !reflect.DeepEqual(got, c.Form) {
			t.Errorf("got %+v, want %+v", got, c.Form)
		}
	})

	t.Run("neutral values are written into the columns", func(t *testing.T) {
		t.Parallel()
		s := holdSession(t, c)
		native, err := s.Compose(catalogue.Pay, c.Values)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := s.Compose(catalogue.Pay, c.Values); err != nil || !bytes.Equal(native, again) {
			t.Errorf("composes differently again: %v", err)
		}
		got, err := s.Form(catalogue.Pay, native)
		if err != nil {
			t.Fatal(err)
		}
		want, err := s.Form(catalogue.Pay, c.Pay)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v, %v", got, want, err)
		}
	})

	t.Run("a value without a column is named", func(t *testing.T) {
		t.Parallel()
		s := holdSession(t, c)
		v := catalogue.Values{Amount: c.Form.Amount, OrderNumber: c.Form.OrderNumber, Code: "c4n4ry"}
		_, err := s.Compose(catalogue.Search, v)
		wantFault(t, err, fault.Invalid, "unsupported_value")
		if f := faultOf(err); len(f.Fields) != 2 || f.Fields[0].Pointer != "/amount" || f.Fields[1].Pointer != "/source/code" || strings.Contains(err.Error(), "c4n4ry") {
			t.Errorf("%+v", f.Fields)
		}
		if o, ok := s.Type().Find(catalogue.Void); ok {
			if _, err := s.Compose(o.Kind, catalogue.Values{Amount: c.Form.Amount, OrderNumber: c.Form.OrderNumber}); err != nil {
				t.Errorf("an authorization is cancelled whole, whatever its amount: %v", err)
			}
		}
		_, err = s.Compose("teleport", v)
		wantFault(t, err, fault.Unsupported, "operation_unsupported")
	})

	t.Run("a stored approval", func(t *testing.T) {
		t.Parallel()
		s := holdSession(t, c)
		if d := s.Type(); d.ChecksMandates != (c.Mandate.Token != "") {
			t.Fatalf("%+v", d)
		}
		if a := s.Mandate(context.WithoutCancel(t.Context()), c.Mandate); a.Known || a.Detail == "" {
			t.Errorf("without a deadline: %+v", a)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if a := s.Mandate(ctx, c.Mandate); a.Known != (c.Mandate.Token != "") || a.Dead || (a.Reason == "") != a.Known {
			t.Errorf("%+v", a)
		}
	})

	t.Run("a missing column is named", func(t *testing.T) {
		t.Parallel()
		_, err := holdSession(t, c).Form(catalogue.Pay, c.Incomplete)
		wantFault(t, err, fault.Invalid, "missing_field")
		f := faultOf(err)
		if f.Message != c.Missing+" 不可為空" || len(f.Fields) != 1 || f.Fields[0].Pointer != "/request/"+c.Missing {
			t.Errorf("%q %+v", f.Message, f.Fields)
		}
	})

	t.Run("an operation that the type does not have", func(t *testing.T) {
		t.Parallel()
		_, err := holdSession(t, c).Form("teleport", c.Pay)
		wantFault(t, err, fault.Unsupported, "operation_unsupported")
	})

	t.Run("without a deadline nothing is sent", func(t *testing.T) {
		t.Parallel()
		s := holdSession(t, c)
		ctx := context.WithoutCancel(t.Context())
		if a := s.Send(ctx, payInstruction(t, c, s)); a.Known != payment.KnownNotSent || a.Detail == "" {
			t.Errorf("%+v", a)
		}
		if f := s.Ask(ctx, c.Question); !f.Failed || !f.NotSent || f.Finding != payment.FindingNothing {
			t.Errorf("%+v", f)
		}
	})

	t.Run("a deadline that has passed sends nothing or settles nothing", func(t *testing.T) {
		t.Parallel()
		s := holdSession(t, c)
		ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
		defer cancel()
		if a := s.Send(ctx, payInstruction(t, c, s)); a.Known != payment.KnownNotSent && a.Known != payment.KnownNothing {
			t.Errorf("%+v", a)
		}
	})

	t.Run("a payment is made and found", func(t *testing.T) {
		t.Parallel()
		s := holdSession(t, c)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		i := payInstruction(t, c, s)
		a := s.Send(ctx, i)
		if a.Known != payment.KnownApproved || a.Evidence.OrderID != i.Operation.OrderID || len(a.Native) == 0 {
			t.Fatalf("%+v", a)
		}
		f := s.Ask(ctx, c.Question)
		if f.Failed || f.Finding != payment.FindingFound || f.Evidence.OrderID != i.Operation.OrderID {
			t.Errorf("%+v", f)
		}
	})

	t.Run("a session may be closed twice", func(t *testing.T) {
		t.Parallel()
		s, err := c.Providers.Open(t.Context(), outbound.Route{Type: c.Type})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		s.Close()
		holdSession(t, c)
	})

	t.Run("a stored credential set", func(t *testing.T) {
		t.Parallel()
		got, err := c.Providers.Credential(c.Type, c.Set)
		if err != nil || len(got.Set) == 0 {
			t.Fatalf("%+v, %v", got, err)
		}
		again, err := c.Providers.Credential(c.Type, got.Set)
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("the canonical set reads differently: %v", err)
		}
		got.Set = nil
		if !reflect.DeepEqual(got, c.Credential) {
			t.Errorf("got %+v, want %+v", got, c.Credential)
		}
		for _, set := range []string{``, `{}`, `[]`, `null`, `{"no_such_member":"c4n4ry"}`} {
			_, err := c.Providers.Credential(c.Type, []byte(set))
			if fault.KindOf(err) != fault.Invalid || len(faultOf(err).Fields) == 0 || strings.Contains(err.Error(), "c4n4ry") {
				t.Errorf("%s: %v", set, err)
			}
		}
	})

	t.Run("a provider that is down stays known", func(t *testing.T) {
		t.Parallel()
		c := open(t)
		if c.Stop == nil {
			t.Skip("this provider cannot be taken down")
		}
		before := c.Providers.Types()
		c.Stop()
		_, err := c.Providers.Open(t.Context(), outbound.Route{Type: c.Type})
		wantFault(t, err, fault.Unavailable, "provider_unavailable")
		if f := faultOf(err); f.RetryAfter <= 0 || f.Message == "" {
			t.Errorf("%+v", f)
		}
		if !reflect.DeepEqual(before, c.Providers.Types()) {
			t.Error("its types are forgotten")
		}
		if _, err := c.Providers.Credential(c.Type, c.Set); err != nil {
			t.Error(err)
		}
	})
}

func holdSession(t *testing.T, c ProvidersCase) outbound.Session {
	t.Helper()
	s, err := c.Providers.Open(t.Context(), outbound.Route{Type: c.Type})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func payInstruction(t *testing.T, c ProvidersCase, s outbound.Session) outbound.Instruction {
	t.Helper()
	form, err := s.Form(catalogue.Pay, c.Pay)
	if err != nil {
		t.Fatal(err)
	}
	i := c.Instruction
	i.Form = form
	return i
}

func faultOf(err error) *fault.Error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	return &fault.Error{}
}
