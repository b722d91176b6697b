package main

import (
	"fmt"
	"io"
	"text/template"
)

// greetingText is what a person needs to try a development start by hand. It is shell text to paste. The
// examples name the payment types of the two bundled providers.
const greetingText = `
payrack serves.

  public plane  {{.HTTPURL}}   (documents at {{.HTTPURL}}/docs)
  admin plane   {{.AdminURL}}
  sandbox       {{.SandboxURL}}   (controls under /_sandbox/)
  everything    {{.File}}

Try it (paste into another terminal):

  # a token (the secret is read from the file above)
  TOKEN=$(curl -s {{.TokenURL}} -d grant_type=client_credentials \
    -d client_id={{.ClientID}} \
    -d client_secret="$(sed -n 's/.*"client_secret": "\(.*\)".*/\1/p' '{{.File}}')" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

  # LINE Pay: the customer shows a one-time code, the till charges it
  ORDER=TRY-$(date +%s)
  CODE=$(curl -s {{.SandboxURL}}/_sandbox/codes -d '{"provider":"linepay"}' | sed 's/.*"code":"\([^"]*\)".*/\1/')
  curl -s {{.HTTPURL}}/v1/payment/integrate/pay -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d '{"type":"LINE_QRCODE_PAY","store_id":"{{.StoreID}}","is_test":true,"request":{"productName":"Tea","amount":100,"currency":"TWD","orderId":"'$ORDER'","oneTimeKey":"'$CODE'"}}'; echo

  # search it
  curl -s {{.HTTPURL}}/v1/payment/integrate/search -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d '{"type":"LINE_QRCODE_PAY","store_id":"{{.StoreID}}","is_test":true,"request":{"orderId":"'$ORDER'"}}'; echo

  # iPASS, with the company's own credentials
  CODE=$(curl -s {{.SandboxURL}}/_sandbox/codes -d '{"provider":"ipass"}' | sed 's/.*"code":"\([^"]*\)".*/\1/')
  curl -s {{.HTTPURL}}/v1/payment/ipass/offline/pay -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d '{"store_id":"0","request":{"req_id":"'$(cat /proc/sys/kernel/random/uuid)'","trade_code":"'$CODE'","amount":229,"order_number":"'$ORDER'","store_id":"00681","terminal_id":"AB123456"}}'; echo

Ctrl-C stops all of it; the data stays in {{.Dir}}.
`

// greeting prints ready-to-paste lines.
func greeting(to io.Writer, d devFile, dir string) error {
	text, err := template.New("greeting").Parse(greetingText)
	if err != nil {
		return fmt.Errorf("print the greeting: %w", err)
	}
	data := struct {
		devFile

		File, Dir string
	}{d, dir + "/" + devFileName, dir}
	if err := text.Execute(to, data); err != nil {
		return fmt.Errorf("print the greeting: %w", err)
	}
	return nil
}
