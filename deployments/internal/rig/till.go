package rig

import (
	"encoding/json"
	"time"
)

// taipei is where the tills stand.
var taipei = time.FixedZone("UTC+8", 8*60*60)

const (
	payPath = "/v1/payment/integrate/pay"
	// A route that a provider declares.
	aliasPath = "/v1/payment/ipass/offline/pay"
	// Where a shop wants its customers back.
	paidPage, leftPage = "https://shop.example/paid", "https://shop.example/cancelled"
)

type object = map[string]any

// Sale is what a till, or a shop, asks money for.
type Sale struct {
	Provider, Store, Order, Key string
	Amount                      int64
	// Neutral is through /v2.
	Neutral bool
	// Online sends the customer to LINE Pay; there is no code then.
	Online bool
	// Holds only authorizes; LINE Pay alone can.
	Holds bool
	// Mandate is the stored approval that is charged, or empty.
	Mandate string
}

// Type of the payment.
func (s Sale) Type() string {
	switch {
	case s.Provider == "ipass":
		return "IPASS_OFFLINE_PAY"
	case s.Mandate != "":
		return "LINE_PREAPPROVED_PAY"
	case s.Online:
		return "LINE_PAY"
	}
	return "LINE_QRCODE_PAY"
}

// Pay is the path and the body with which the till asks for money, with the customer's code.
func (s Sale) Pay(code string) (path string, body []byte, err error) {
	if s.Neutral {
		whole := object{
			"type": s.Type(), "store_id": s.Store, "is_test": true, "order_number": s.Order,
			"amount": object{"amount": s.Amount, "currency": "TWD"}, "description": "tea", "capture": !s.Holds,
		}
		switch {
		case s.Mandate != "":
			whole["source"] = object{"mandate_id": s.Mandate}
		case s.Online:
			whole["return_url"], whole["cancel_url"] = paidPage, leftPage
		default:
			whole["source"] = object{"code": code}
		}
		if s.Provider == "ipass" {
			whole["provider_data"] = object{"store_id": "00681", "terminal_id": "AB123456"}
		}
		body, err = json.Marshal(whole)
		return "/v2/payments", body, err
	}
	if s.Provider == "ipass" {
		now := time.Now().In(taipei).Format("2006-01-02 15:04:05")
		body, err = json.Marshal(object{"store_id": s.Store, "is_test": true, "request": object{
			"req_id": s.Key, "trade_code": code, "amount": s.Amount, "order_number": s.Order, "store_id": "00681", "terminal_id": "AB123456",
			"capture": true, "pos_date_time": now, "trade_date_time": now, "product_desc": "tea", "remark": "",
		}})
		return aliasPath, body, err
	}
	request := object{"productName": "tea", "amount": s.Amount, "currency": "TWD", "orderId": s.Order}
	switch {
	case s.Mandate != "":
		request["mandate_id"] = s.Mandate
	case s.Online:
		request["confirmUrl"], request["cancelUrl"] = paidPage, leftPage
	default:
		request["oneTimeKey"] = code
	}
	if s.Holds {
		request["capture"] = false
	}
	body, err = json.Marshal(object{"type": s.Type(), "store_id": s.Store, "is_test": true, "request": request})
	return payPath, body, err
}

// Approval is the path and the body with which a shop asks its customer for a stored approval, together with a first payment.
func (s Sale) Approval() (path string, body []byte, err error) {
	body, err = json.Marshal(object{
		"type": "LINE_PAY", "store_id": s.Store, "is_test": true, "order_number": s.Order, "amount": object{"amount": s.Amount, "currency": "TWD"},
		"description": "tea, monthly", "return_url": paidPage, "cancel_url": leftPage, "provider_data": object{"payType": "PREAPPROVED"},
	})
	return "/v2/payments", body, err
}

// Cancel is the body that names the payment by its order number alone: the till may have heard nothing yet.
func (s Sale) Cancel() []byte {
	named := object{"orderId": s.Order}
	if s.Provider == "ipass" {
		named = object{"order_number": s.Order}
	}
	body, err := json.Marshal(object{"type": s.Type(), "store_id": s.Store, "is_test": true, "request": named})
	if err != nil {
		panic(err) // texts have a JSON form
	}
	return body
}
