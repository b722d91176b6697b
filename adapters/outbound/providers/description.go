package providers

import (
	"fmt"

	"github.com/payrack/payrack/adapters/outbound/providers/form"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// description is what a release says about itself, with its schemas compiled.
type description struct {
	name    string
	version string
	types   map[string]*paymentType
}

type paymentType struct {
	catalogue.Type

	credential *form.Credential
	columns    map[catalogue.Kind]*form.Columns
}

// describe compiles everything, so that a release whose schemas cannot be used is refused before it serves.
func describe(info host.Info, limits Limits) (*description, error) {
	d := &description{name: info.Name, version: info.Version, types: map[string]*paymentType{}}
	for _, t := range info.Types {
		compiled, err := describeType(info, t, limits)
		if err != nil {
			return nil, fmt.Errorf("payment type %s: %w", t.Name, err)
		}
		d.types[t.Name] = compiled
	}
	return d, nil
}

func describeType(info host.Info, t provider.Type, limits Limits) (*paymentType, error) {
	credential, err := form.CompileCredential(t.Credential)
	if err != nil {
		return nil, fmt.Errorf("credential schema: %w", err)
	}
	out := &paymentType{
		Type: catalogue.Type{
			Name: t.Name, Provider: info.Name, Version: info.Version, MessageFrom: info.MessageFrom, Credential: t.Credential,
			AccountMember: credential.AccountMember(), WireMember: credential.WireMember(), WireDefault: credential.WireDefault(),
		},
		credential: credential, columns: map[catalogue.Kind]*form.Columns{},
	}
	for _, c := range t.Currencies {
		out.Currencies = append(out.Currencies, catalogue.Currency{Code: c.Code, Exponent: c.Exponent})
	}
	for _, o := range t.Operations {
		kind, ok := kindToCore(o.Kind)
		if !ok {
			// Stored approvals are no operations of the native routes.
			out.ChecksMandates = out.ChecksMandates || o.Kind == provider.KindCheckMandate
			out.EndsMandates = out.EndsMandates || o.Kind == provider.KindExpireMandate
			continue
		}
		columns, err := form.CompileColumns(form.Spec{Schema: o.Columns, Currencies: out.Currencies, Credential: credential})
		if err != nil {
			return nil, fmt.Errorf("columns of %s: %w", o.Kind, err)
		}
		out.columns[kind] = columns
		operation := operationToCore(kind, o, columns)
		limits.lower(&operation)
		out.Operations = append(out.Operations, operation)
	}
	return out, nil
}

func kindToCore(k provider.Kind) (catalogue.Kind, bool) {
	switch k {
	case provider.KindPay:
		return catalogue.Pay, true
	case provider.KindConfirm:
		return catalogue.Confirm, true
	case provider.KindCapture:
		return catalogue.Capture, true
	case provider.KindVoid:
		return catalogue.Void, true
	case provider.KindRefund:
		return catalogue.Refund, true
	case provider.KindSearch:
		return catalogue.Search, true
	case provider.KindCheckMandate, provider.KindExpireMandate:
		return "", false
	}
	return "", false
}

func operationToCore(kind catalogue.Kind, o provider.Operation, columns *form.Columns) catalogue.Operation {
	out := catalogue.Operation{
		Kind: kind, Columns: o.Columns, Answer: o.Answer,
		Attended: columns.TakesCode(), Redirects: columns.TakesReturnURL(),
		MovesMoney: o.MovesMoney, OrderIDUnique: o.OrderIDUnique, IdempotentReplay: o.IdempotentReplay,
		FoundByOrderID: o.FoundByOrderID, CancelsUnlanded: o.CancelsUnlanded, CarriesReference: o.CarriesReference,
		SearchLagMax: o.SearchLagMax, LandingMax: o.LandingMax, MaxDuration: o.MaxDuration,
	}
	for _, a := range o.Aliases {
		out.Aliases = append(out.Aliases, catalogue.Route{Method: a.Method, Path: a.Path})
	}
	for situation, body := range o.Bodies {
		if s, ok := situationToCore(situation); ok {
			if out.Bodies == nil {
				out.Bodies = map[catalogue.Situation][]byte{}
			}
			out.Bodies[s] = body
		}
	}
	return out
}

func situationToCore(s provider.Situation) (catalogue.Situation, bool) {
	switch s {
	case provider.SituationDuplicateOrder:
		return catalogue.DuplicateOrder, true
	case provider.SituationInProgress:
		return catalogue.InProgress, true
	case provider.SituationReversing:
		return catalogue.Reversing, true
	case provider.SituationUnspecified:
		return "", false
	}
	return "", false
}
