package ecpay

import (
	"regexp"

	"github.com/payrack/payrack/plugins/sdk/notation"
)

// number is what ECPay takes as a MerchantTradeNo.
var number = regexp.MustCompile(`^[0-9A-Za-z]{1,20}$`)

// later is how the platform's id of a later attempt ends.
var later = regexp.MustCompile(`-[0-9a-f]{6}$`)

const (
	// numberLength is the length of the numbers that are made here.
	numberLength = 20
	// ownLength is how much of a made MerchantTradeNo is the order's; the rest tells that it was made.
	ownLength = 14
)

// tradeNo is the MerchantTradeNo of an order id. A later attempt's id holds more than ECPay takes; it has a number of
// its own, which is the same in every process, so that a search finds it.
func tradeNo(id string) string {
	if !later.MatchString(id) {
		return id
	}
	return marked(notation.Reference(id, ownLength))
}

func marked(own string) string {
	return own + notation.Reference("MerchantTradeNo\x00"+own, numberLength-ownLength)
}

// reserved reports whether a client's own number could be that of a later attempt: were the two one order at ECPay, a search
// of one would find the charge of the other. One in two billion is.
func reserved(n string) bool { return len(n) == numberLength && marked(n[:ownLength]) == n }

// orderOf is the order id that an answer to a question about asked is about.
func orderOf(asked, answered string) string {
	if answered == tradeNo(asked) {
		return asked
	}
	return answered
}
