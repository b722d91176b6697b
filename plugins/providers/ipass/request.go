package ipass

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// currency is the only one that iPASS charges.
const currency = "TWD"

// taipei is UTC+8 all year. It is fixed, so that no time zone data is needed.
var taipei = time.FixedZone("UTC+8", 8*60*60)

// timeLayout is YYYY-MM-DD HH:mm:ss.
const timeLayout = time.DateTime

// shopCode begins the code that hangs in a shop for payers to scan.
const shopCode = "TWQRP://"

// payOptions are the columns of a payment beside those that travel in typed fields.
type payOptions struct {
	StoreID       string  `json:"store_id"`
	TerminalID    string  `json:"terminal_id"`
	POSDateTime   string  `json:"pos_date_time"`
	TradeDateTime string  `json:"trade_date_time"`
	Remark        *string `json:"remark"`
	Redeem        *redeem `json:"redeem"`
}

type redeem struct {
	// NonRedeemAmount is the part of the amount that may not be discounted. The name is the platform's.
	NonRedeemAmount *int64 `json:"non_redeem_amout"`
}

// clearPay is the clear text of a payment, in the published order of its members. The result says whether
// the request lets iPASS discount a part of the amount.
func (p *Provider) clearPay(r provider.PayRequest, reqID string) (clear []byte, discountable bool, err error) {
	var o payOptions
	if err := r.Call.Columns.Decode(&o); err != nil {
		return nil, false, errors.New("the columns of the request cannot be read")
	}
	switch {
	case r.Amount.Currency != currency || r.Amount.Exponent != 0 || r.Amount.Units < 1:
		return nil, false, errors.New("amount must be a whole number of TWD")
	case r.Code.Empty():
		return nil, false, errors.New("trade_code is missing")
	case strings.HasPrefix(r.Code.Reveal(), shopCode):
		return nil, false, errors.New("trade_code is a shop's own code: scan the one that the payer shows")
	case r.Reference.OrderID == "":
		return nil, false, errors.New("order_number is missing")
	}
	now := p.host.Now().In(taipei).Format(timeLayout)
	if o.POSDateTime == "" {
		o.POSDateTime = now
	}
	if o.TradeDateTime == "" {
		o.TradeDateTime = now
	}
	members := []member{
		p.quoted("req_id", reqID),
		p.quoted("trade_code", r.Code.Reveal()),
		p.plain("amount", strconv.FormatInt(r.Amount.Units, 10)),
		p.quoted("order_number", r.Reference.OrderID),
		p.quoted("store_id", o.StoreID),
		p.quoted("terminal_id", o.TerminalID),
		p.plain("capture", strconv.FormatBool(r.Capture)),
		p.quoted("pos_date_time", o.POSDateTime),
		p.quoted("trade_date_time", o.TradeDateTime),
	}
	if r.Description != "" {
		members = append(members, p.quoted("product_desc", r.Description))
	}
	if o.Remark != nil {
		members = append(members, p.quoted("remark", *o.Remark))
	}
	if o.Redeem != nil && o.Redeem.NonRedeemAmount != nil {
		kept := *o.Redeem.NonRedeemAmount
		if kept < 0 || kept > r.Amount.Units {
			return nil, false, errors.New("redeem.non_redeem_amout must be between 0 and amount")
		}
		inner, err := object([]member{p.plain("non_redeem_amout", strconv.FormatInt(kept, 10))})
		if err != nil {
			return nil, false, errRequest
		}
		members = append(members, p.plain("redeem", string(inner)))
		discountable = kept < r.Amount.Units
	}
	clear, err = whole(members)
	return clear, discountable, err
}

// plain is a member with a JSON value that is ready.
func (p *Provider) plain(name, value string) member {
	return member{name: p.wire.Names[name], value: jsontext.Value(value)}
}

// quoted is a member with a text.
func (p *Provider) quoted(name, value string) member { return quoted(p.wire.Names[name], value) }

// quoted is a member by its name on the wire.
func quoted(name, value string) member {
	text, err := jsontext.AppendQuote(nil, value)
	if err != nil {
		text = nil // invalid UTF-8: whole refuses it
	}
	return member{name: name, value: text}
}

func whole(members []member) ([]byte, error) {
	clear, err := object(members)
	if err != nil || !clear.IsValid() {
		return nil, errRequest
	}
	return clear, nil
}

// requestSpace is the name space in which our ids of operations become the gateway's.
var requestSpace = uuid.MustParse("5f2f7bd4-2a55-4d36-9d0b-6c1a6a0f2f61")

// requestID is the client's id of the request, or one in the shape in which iPASS shows it. It follows from our
// name of the operation, so that whoever searches later knows under which id the operation was sent.
func requestID(call provider.Call, reference string) string {
	switch {
	case call.RequestID != "":
		return call.RequestID
	case reference != "":
		return strings.ToUpper(uuid.NewSHA1(requestSpace, []byte(reference)).String())
	default:
		return newRequestID()
	}
}

// newRequestID is for requests that nobody asks about again.
func newRequestID() string { return strings.ToUpper(uuid.NewString()) }
