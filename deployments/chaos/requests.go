package main

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
)

type object = map[string]any

// paymentType by provider.
func (c *customer) paymentType() string {
	if c.provider == "ipass" {
		return "IPASS_OFFLINE_PAY"
	}
	return "LINE_QRCODE_PAY"
}

// request is the path and the body with which a till asks for money.
func (c *customer) request(code string) (path string, body []byte, err error) {
	if c.neutral {
		whole := object{
			"type": c.paymentType(), "store_id": c.dev.StoreID, "is_test": true, "order_number": c.order,
			"amount": object{"amount": c.amount, "currency": "TWD"}, "source": object{"code": code}, "description": "tea",
		}
		if c.provider == "ipass" {
			whole["provider_data"] = object{"store_id": "00681", "terminal_id": "AB123456"}
		}
		body, err = json.Marshal(whole)
		return "/v2/payments", body, err
	}
	if c.provider == "ipass" {
		now := time.Now().In(taipei).Format("2006-01-02 15:04:05")
		body, err = json.Marshal(object{"store_id": c.dev.StoreID, "is_test": true, "request": object{
			"req_id": c.key, "trade_code": code, "amount": c.amount, "order_number": c.order, "store_id": "00681", "terminal_id": "AB123456",
			"capture": true, "pos_date_time": now, "trade_date_time": now, "product_desc": "tea", "remark": "",
		}})
		return aliasPath, body, err
	}
	body, err = json.Marshal(object{"type": c.paymentType(), "store_id": c.dev.StoreID, "is_test": true, "request": object{
		"productName": "tea", "amount": c.amount, "currency": "TWD", "orderId": c.order, "oneTimeKey": code,
	}})
	return payPath, body, err
}

// cancelRequest names the payment by its order number alone: the till may have heard nothing yet.
func (c *customer) cancelRequest() []byte {
	named := object{"orderId": c.order}
	if c.provider == "ipass" {
		named = object{"order_number": c.order}
	}
	body, err := json.Marshal(object{"type": c.paymentType(), "store_id": c.dev.StoreID, "is_test": true, "request": named})
	if err != nil {
		panic(err) // texts have a JSON form
	}
	return body
}
