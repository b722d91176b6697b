package e2e_test

import (
	"strings"
)

// badInputs is the catalogue: the numbers are those of the specification's table, letters are our own.
func badInputs() []bad {
	var all []bad
	for _, group := range [][]bad{
		badTransport(), badTokens(), badBodies(), badFields(), badCredentials(), badQueries(), badKeys(), badOwn(),
	} {
		all = append(all, group...)
	}
	return all
}

func badTransport() []bad {
	good := pay()
	return []bad{
		{id: "1", what: "GET on the pay route", line: "GET /v1/payment/ipass/offline/pay", status: 405, code: "method_not_allowed"},
		{id: "1b", what: "GET on integrate pay", line: "GET /v1/payment/integrate/pay", status: 405, code: "method_not_allowed"},
		{id: "2", what: "PUT on search", line: "PUT /v1/payment/integrate/search", body: "{}", status: 405, code: "method_not_allowed"},
		{id: "3", what: "HEAD on search", line: "HEAD /v1/payment/integrate/search?type=LINE_QRCODE_PAY", status: 405},
		{id: "4", what: "TRACE", line: "TRACE /v1/payment/ipass/offline/pay", status: 405, code: "method_not_allowed"},
		{id: "4b", what: "a method nobody knows", line: "FOO /v1/payment/ipass/offline/pay", status: 405, code: "method_not_allowed"},
		{id: "5", what: "double slash with a secret in the query", line: `GET /v1//payment/integrate/search?request={"channel_secret":"{canary}"}`, status: 404, code: "not_found"},
		{id: "5b", what: "a dot segment with a secret in the query", line: `GET /v1/./payment/integrate/search?request={"channel_secret":"{canary}"}`, status: 404, code: "not_found"},
		{id: "6", what: "trailing slash with a secret in the query", line: `GET /v1/payment/integrate/search/?request={"channel_secret":"{canary}"}`, status: 404, code: "not_found"},
		{id: "7", what: "escaped dot segments", line: `GET /v1/payment/%2e%2e/integrate/search?request={"channel_secret":"{canary}"}`, status: 404, code: "not_found"},
		{id: "7b", what: "an escaped slash", line: `GET /v1/payment%2Fintegrate/search?request={"channel_secret":"{canary}"}`, status: 404, code: "not_found"},
		{id: "8", what: "a raw space in the target", line: `GET /v1/payment/integrate/search?request={"a": "{canary}"}`, status: 400},
		{id: "10", what: "a URL of 8,193 bytes", line: search("type=LINE_QRCODE_PAY", "x="+strings.Repeat("y", 8193)), status: 414, code: "uri_too_long"},
		{id: "11", what: "headers above 16 KiB", headers: []string{"X-Pad: " + strings.Repeat("y", 17<<10)}, body: good, status: 431},
		{id: "13", what: "two different lengths", headers: []string{"Content-Length: 5"}, body: good, status: 400},
		{id: "13b", what: "a negative length", length: "-5", body: good, status: 400},
		{id: "16", what: "gzip as transfer encoding", headers: []string{"Transfer-Encoding: gzip"}, length: "-", body: good, status: 501},
		{id: "22", what: "a space before the colon", headers: []string{"Authorization : Bearer {token}"}, body: good, status: 400},
		{id: "23", what: "a folded authorization header", headers: []string{"Authorization: Bearer\r\n {token}x"}, body: good, status: 401, code: "invalid_token"},
		{id: "T1", what: "a path that does not exist", line: "POST /v1/payment/nowhere/pay", body: good, status: 404, code: "not_found"},
		{id: "T2", what: "a path in other case", line: "POST /V1/payment/ipass/offline/pay", body: good, status: 404, code: "not_found"},
		{id: "T3", what: "a body of 65 KiB", body: pay("remark", `"`+strings.Repeat("y", 65<<10)+`"`), status: 413, code: "body_too_large"},
		{id: "T4", what: "a fragment of an admin path on the public plane", line: "GET /admin/v1/plugins", status: 404, code: "not_found"},
		{id: "T5", what: "metrics on the public plane", line: "GET /metrics", status: 404, code: "not_found"},
		{id: "T6", what: "pprof on the public plane", line: "GET /debug/pprof/", status: 404, code: "not_found"},
		{id: "T7", what: "the sandbox's control plane on the public plane", line: "POST /_sandbox/codes", body: "{}", status: 404, code: "not_found"},
	}
}

func badTokens() []bad {
	good := pay()
	forged := func(name, header string) bad {
		return bad{id: "29", what: name, headers: []string{"Authorization: " + header}, body: good, status: 401, code: "invalid_token"}
	}
	return []bad{
		{id: "24", what: "no token", headers: []string{"-Authorization"}, body: good, status: 401, code: "invalid_token"},
		forged("an empty token", "Bearer "),
		forged("two spaces", "Bearer  {token}"),
		forged("a tab", "Bearer\t{token}"),
		forged("basic", "Basic e2NhbmFyeX06eA=="),
		forged("no scheme", "{token}"),
		forged("trailing words", "Bearer {token} x"),
		forged("a cut token", "Bearer eyJhbGciOiJFUzI1NiJ9"),
		forged("alg none", "Bearer eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiJ4IiwiZXhwIjo5OTk5OTk5OTk5fQ."),
		forged("HS256", "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJ4IiwiZXhwIjo5OTk5OTk5OTk5fQ.c2lnbmF0dXJl"),
		forged("a key in the header", "Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImp3ayI6e319.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"),
		forged("a changed signature", "Bearer {token}A"),
		{id: "27", what: "two authorization headers", headers: []string{"Authorization: Bearer {token}", "Authorization: Bearer {token}"}, body: good, status: 401, code: "invalid_token"},
		{id: "28", what: "the token in the query", line: "POST /v1/payment/ipass/offline/pay?access_token={token}", body: good, status: 400, code: "token_in_url"},
	}
}

func badBodies() []bad {
	good := pay()
	malformed := func(id, what, body string) bad {
		return bad{id: id, what: what, body: body, status: 400, code: "malformed_json"}
	}
	media := func(id, value string) bad {
		return bad{id: id, what: value, headers: []string{"Content-Type: " + value}, body: good, status: 415, code: "unsupported_media_type"}
	}
	return []bad{
		{id: "34", what: "no content type", headers: []string{"-Content-Type"}, body: good, status: 415, code: "unsupported_media_type"},
		media("35", "text/plain"), media("35b", "application/x-www-form-urlencoded"), media("35c", "multipart/form-data; boundary=x"),
		media("35d", "application/xml"), media("37", "application/json; charset=big5"), media("37b", "application/json; charset=utf-16"),
		{id: "38", what: "gzip as content encoding", headers: []string{"Content-Encoding: gzip"}, body: good, status: 415, code: "unsupported_encoding"},
		malformed("40", "an empty body", ""), malformed("40b", "white space", " \r\n\t "),
		{id: "41", what: "null", body: "null", status: 400, code: "invalid_type"},
		{id: "41b", what: "an array", body: "[]", status: 400, code: "invalid_type"},
		{id: "41c", what: "a text", body: `"{canary}"`, status: 400, code: "invalid_type"},
		{id: "41d", what: "a number", body: "0", status: 400, code: "invalid_type"},
		{id: "41e", what: "true", body: "true", status: 400, code: "invalid_type"},
		malformed("43", "a byte order mark", "\xef\xbb\xbf"+good),
		{id: "44", what: "UTF-16", body: "\xff\xfe{\x00}\x00", status: 400, code: "invalid_utf8"},
		malformed("46", "a trailing comma", strings.Replace(good, "},", ",},", 1)),
		malformed("46b", "a comment", "/*{canary}*/"+good), malformed("46c", "single quotes", "{'store_id':'0'}"),
		malformed("46d", "NaN", pay("amount", "NaN")), malformed("46e", "Infinity", pay("amount", "Infinity")),
		malformed("46f", "hexadecimal", pay("amount", "0x10")), malformed("46g", "an underscore in a number", pay("amount", "1_000")),
		malformed("46h", "a plus sign", pay("amount", "+1")), malformed("46i", "a leading zero", pay("amount", "01")),
		{id: "47", what: "nine levels", body: pay("redeem", strings.Repeat(`{"a":`, 7)+"1"+strings.Repeat("}", 7)), status: 400, code: "too_deep"},
		{id: "47b", what: "ten thousand levels", body: strings.Repeat("[", 10001), status: 400, code: "too_deep"},
		{id: "49", what: "amount twice", body: strings.Replace(good, `"amount":229`, `"amount":1,"amount":999`, 1), status: 400, code: "duplicate_member"},
		{id: "50", what: "amount twice, once escaped", body: strings.Replace(good, `"amount":229`, `"amount":1,"\u0061mount":999`, 1), status: 400, code: "duplicate_member"},
		{id: "50b", what: "request twice", body: `{"request":{"key":"{canary}"},"request":{}}`, status: 400, code: "duplicate_member"},
		{id: "52", what: "an invalid byte", body: pay("remark", "\"\xff\""), status: 400, code: "invalid_utf8"},
		{id: "52b", what: "an encoded surrogate", body: pay("remark", "\"\xed\xa0\x80\""), status: 400, code: "invalid_utf8"},
		{id: "52c", what: "an overlong slash", body: pay("remark", "\"\xc0\xaf\""), status: 400, code: "invalid_utf8"},
		{id: "53", what: "a lone surrogate escape", body: pay("remark", `"\ud800"`), status: 400, code: "invalid_utf8"},
		malformed("B1", "two objects", good+good), malformed("B2", "a cut object", good[:len(good)-2]),
		{id: "B3", what: "a hundred and one members", body: `{"request":{` + many(101) + `}}`, status: 400, code: "too_many_members"},
	}
}

func many(n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, `"m`+strings.Repeat("x", i)+`":1`)
	}
	return strings.Join(parts, ",")
}

// badFields are wrong columns of the iPASS payment.
func badFields() []bad {
	var rows []bad
	add := func(id, what, code string, changes ...string) {
		rows = append(rows, bad{id: id, what: what, body: pay(changes...), status: 400, code: code})
	}
	add("55", "a bell in an identifier", "invalid_format", "order_number", `"A\u0007{order}"`)
	add("55b", "a line break in an identifier", "invalid_format", "order_number", `"A\r\n{order}"`)
	add("55c", "a line separator", "invalid_format", "order_number", `"A\u2028{order}"`)
	add("55d", "a bidi override", "invalid_format", "order_number", `"A\u202e{order}"`)
	add("55e", "a zero-width mark", "invalid_format", "order_number", `"A\ufeff{order}"`)
	add("55f", "a bidi override in free text", "invalid_format", "product_desc", `"A\u202eB"`)
	add("55g", "a bell in free text", "invalid_format", "remark", `"A\u0007B"`)
	add("55h", "NUL in an identifier", "invalid_format", "order_number", `"A\u0000B"`)
	add("58", "no req_id", "missing_field", "req_id", "")
	add("59", "an empty req_id", "missing_field", "req_id", `""`)
	add("59b", "a req_id of 35 characters", "invalid_format", "req_id", `"9CC197A0-E12C-4AC5-8CC0-0052E09D375"`)
	add("59c", "a req_id of 37 characters", "invalid_format", "req_id", `"9CC197A0-E12C-4AC5-8CC0-0052E09D37520"`)
	add("59d", "36 times x", "invalid_format", "req_id", `"`+strings.Repeat("x", 36)+`"`)
	add("59e", "braces around the UUID", "invalid_format", "req_id", `"{9CC197A0-E12C-4AC5-8CC0-0052E09D3752}"`)
	add("59f", "the nil UUID", "invalid_format", "req_id", `"00000000-0000-0000-0000-000000000000"`)
	add("61", "a full-width req_id", "invalid_format", "req_id", `"９CC197A0-E12C-4AC5-8CC0-0052E09D3752"`)
	add("62", "no trade_code", "missing_field", "trade_code", "")
	add("62b", "an empty trade_code", "missing_field", "trade_code", `""`)
	add("62c", "a trade_code of 65 characters", "too_long", "trade_code", `"`+strings.Repeat("9", 65)+`"`)
	add("62d", "a trade_code with a space", "invalid_format", "trade_code", `"{canary} x"`)
	add("64", "no amount", "missing_field", "amount", "")
	add("64b", "amount null", "invalid_type", "amount", "null")
	add("65", "amount 0", "out_of_range", "amount", "0")
	add("65b", "amount -0", "out_of_range", "amount", "-0")
	add("65c", "amount -1", "out_of_range", "amount", "-1")
	add("67", "amount 1.5", "invalid_type", "amount", "1.5")
	add("68", "amount 229.0", "invalid_type", "amount", "229.0")
	add("68b", "amount 2.29e2", "invalid_type", "amount", "2.29e2")
	add("68c", "amount 1E2", "invalid_type", "amount", "1E2")
	add("68d", "amount as text", "invalid_type", "amount", `"229"`)
	add("70", "amount of 2^63", "out_of_range", "amount", "9223372036854775808")
	add("70b", "amount of 400 digits", "out_of_range", "amount", strings.Repeat("9", 400))
	add("74", "a negative part without discount", "out_of_range", "redeem", `{"non_redeem_amout":-1}`)
	add("74b", "a fraction without discount", "invalid_type", "redeem", `{"non_redeem_amout":1.0}`)
	add("74c", "a text without discount", "invalid_type", "redeem", `{"non_redeem_amout":"80"}`)
	add("76", "no order_number", "missing_field", "order_number", "")
	add("76b", "an empty order_number", "missing_field", "order_number", `""`)
	add("77", "an order_number of 101 characters", "too_long", "order_number", `"`+strings.Repeat("A", 101)+`"`)
	add("79", "a number as order_number", "invalid_type", "order_number", "20231011")
	add("80", "a store of 21 characters", "too_long", "store_id", `"`+strings.Repeat("1", 21)+`"`)
	add("81", "a terminal of 9 characters", "too_long", "terminal_id", `"AB1234567"`)
	add("82", "a description of 4,001 characters", "too_long", "product_desc", `"`+strings.Repeat("字", 4001)+`"`)
	add("83", "a remark of 1,001 characters", "too_long", "remark", `"`+strings.Repeat("字", 1001)+`"`)
	add("85", "capture false", "capture_false_unsupported", "capture", "false")
	rows[len(rows)-1].begun = true // whether it may be held is written in the credential set, which the plugin reads
	add("86", "capture as text", "invalid_type", "capture", `"true"`)
	add("86b", "capture as number", "invalid_type", "capture", "1")
	add("86c", "capture null", "invalid_type", "capture", "null")
	for i, date := range []string{
		"\u300023-10-11 01:44:54", "\u00a02023-10-11 01:44:54", "2023-02-30 01:44:54", "2023-13-01 01:44:54", "2023-10-11 24:00:00",
		"2023-10-11 23:59:60", "2023-02-29 01:44:54", "0000-01-01 01:44:54", "10000-01-01 01:44:54", "２０２３-10-11 01:44:54",
		"2023-10-11T01:44:54", "2023-10-11 01:44:54Z", "2023-10-11", "11-10-2023 01:44:54",
	} {
		add("91"+string(rune('a'+i)), "the date "+date, "invalid_format", "pos_date_time", `"`+date+`"`)
	}
	add("94", "a date as number", "invalid_type", "pos_date_time", "1696959894")
	add("98", `is_test "false"`, "invalid_type", ">is_test", `"false"`)
	add("98b", `is_test "FALSE"`, "invalid_type", ">is_test", `"FALSE"`)
	add("98c", "is_test 0", "invalid_type", ">is_test", "0")
	add("98d", "is_test null", "invalid_type", ">is_test", "null")
	add("98e", "is_test []", "invalid_type", ">is_test", "[]")
	add("F1", "request null", "invalid_type", ">request", "null")
	add("F2", "request as text", "invalid_type", ">request", `"{canary}"`)
	add("F3", "request as array", "invalid_type", ">request", "[]")
	add("F4", "no columns at all", "missing_field", ">request", "{}")
	add("F5", "a mistyped column", "unknown_member", "captrue", "false")
	add("F6", "a column in other case", "unknown_member", "AMOUNT", "1")
	add("F7", "a column with the Kelvin sign", "unknown_member", "\u212aey", `"{canary}"`)
	add("F8", "an unknown member of the envelope", "unknown_member", ">company_id", `"{canary}"`)
	add("F9", "a state of our own in the columns", "unknown_member", "state", `"SUCCEEDED"`)
	add("F10", "an unknown member of redeem", "unknown_member", "redeem", `{"non_redeem_amount":80}`)
	add("F11", "redeem as array", "invalid_type", "redeem", "[80]")
	add("F12", "an object as order_number", "invalid_type", "order_number", `{"a":"{canary}"}`)
	add("F13", "an order_number with spaces around", "invalid_format", "order_number", `" {order} "`)
	add("F14", "a store as number", "invalid_type", "store_id", "681")
	add("F15", "a trade_code with Chinese characters", "invalid_format", "trade_code", `"條碼{canary}"`)
	return rows
}

func badCredentials() []bad {
	var rows []bad
	add := func(id, what, code, pointer string, changes ...string) {
		rows = append(rows, bad{id: id, what: what, body: pay(changes...), status: 400, code: code, pointer: pointer})
	}
	iv := `"000102030405060708090a0b0c0d0e0f"`
	add("101", "only merchantid", "credentials_incomplete", "/request/key", "merchantid", `"M0001"`)
	add("101b", "merchantid and key", "credentials_incomplete", "/request/iv", "merchantid", `"M0001"`, "key", `"{canary}"`)
	add("101c", "key and iv", "credentials_incomplete", "/request/merchantid", "key", `"{canary}"`, "iv", iv)
	add("103", "no credentials and no store", "missing_field", "/store_id", ">store_id", "")
	add("106", "an unknown store", "config_missing", "", ">store_id", `"nowhere"`)
	add("106b", "a store in other case", "config_missing", "", ">store_id", `"s001x"`)
	add("109", "a store of 65 characters", "invalid_format", "/store_id", ">store_id", `"`+strings.Repeat("1", 65)+`"`)
	add("109b", "a store with a path", "invalid_format", "/store_id", ">store_id", `"../etc"`)
	add("109c", "a store with a quote", "invalid_format", "/store_id", ">store_id", `"a'b"`)
	add("109d", "a store with NUL", "invalid_format", "/store_id", ">store_id", `"a\u0000"`)
	add("109e", "a store as number", "invalid_type", "/store_id", ">store_id", "0")
	for i, bad := range []string{"000102030405060708090a0b0c0d0e0", "000102030405060708090a0b0c0d0e0f0", "zz0102030405060708090a0b0c0d0e0f", strings.Repeat("0", 32)} {
		add("110"+string(rune('a'+i)), "the iv "+bad, "invalid_format", "", "merchantid", `"M0001"`, "key", `"0123456789{canary}"`, "iv", `"`+bad+`"`)
	}
	add("112", "both spellings, different", "conflicting_members", "", "merchantid", `"M0001"`, "merchant_id", `"M0002"`, "key", `"{canary}"`, "iv", iv)
	rows = append(
		rows,
		bad{
			id: "107", what: "a store without a set for this type", line: linePost, status: 400, code: "config_missing",
			body: `{"type":"LINE_QRCODE_PAY","store_id":"0","request":{"productName":"x","amount":1,"currency":"TWD","orderId":"{order}","oneTimeKey":"{canary}"}}`,
		},
		bad{
			id: "C1", what: "only the channel's id", line: linePost, status: 400, code: "credentials_incomplete", pointer: "/request/channel_secret",
			body: `{"type":"LINE_QRCODE_PAY","request":{"channel_id":"1606993764","productName":"x","amount":1,"currency":"TWD","orderId":"{order}","oneTimeKey":"{canary}"}}`,
		},
	)
	return rows
}

// badQueries are wrong searches by GET.
func badQueries() []bad {
	line := "type=LINE_QRCODE_PAY"
	store := "store_id=0"
	request := func(text string) string { return "request=" + text }
	order := request(`{"orderId":"{order}"}`)
	secret := request(`{"channel_id":"1606993764","channel_secret":"{canary}","orderId":"{order}"}`)
	var rows []bad
	add := func(id, what, code string, parameters ...string) {
		rows = append(rows, bad{id: id, what: what, line: search(parameters...), status: 400, code: code})
	}
	add("116", "no type", "missing_field", secret, store)
	add("116b", "an empty type", "missing_field", "type=", secret, store)
	add("117", "no request", "missing_field", line, store)
	add("118", "type twice", "duplicate_parameter", line, line, secret)
	add("118b", "request twice", "duplicate_parameter", line, secret, secret)
	add("118c", "store_id twice", "duplicate_parameter", line, order, store, store)
	add("119", "TYPE", "missing_field", "TYPE=LINE_QRCODE_PAY", secret)
	add("120", "an unknown type", "unknown_type", "type=NO_SUCH_PAY", secret, store)
	add("120b", "a type that is no word", "unknown_type", "type=%3Cscript%3E", secret, store)
	add("121", "a cut request", "malformed_json", line, request(`{"channel_secret":"{canary}"`))
	add("121b", "an array", "invalid_type", line, request(`["{canary}"]`), store)
	add("121c", "a text", "invalid_type", line, request(`"{canary}"`), store)
	add("121d", "null", "invalid_type", line, request("null"), store)
	add("122", "an unescaped ampersand", "malformed_json", line, request(`{"channel_secret":"{canary}&x"}`))
	add("124", "%zz", "invalid_query", line, secret, "x=%zz")
	add("124b", "a lone percent", "invalid_query", line, secret, "x=%")
	add("124c", "%u0041", "invalid_query", line, secret, "x=%u0041")
	add("125", "%ff", "invalid_utf8", line, secret, "store_id=%ff")
	add("125b", "%00", "control_character", line, secret, "store_id=%00")
	add("127", "encoded twice", "malformed_json", line, request(`%257B%2522orderId%2522:1%257D`), store)
	for i, id := range []string{
		"20190499100054968100", "9223372036854775808", "0", "-1", "1e18", "2019049910005496810.0", `"２０１９049910005496810"`,
		`"%202019049910005496810"`, "02019049910005496810",
	} {
		code := "out_of_range"
		switch {
		case strings.ContainsAny(id, "e.\""):
			code = "invalid_type"
		case strings.HasPrefix(id, "02"):
			code = "malformed_json"
		}
		add("130"+string(rune('a'+i)), "the transaction "+id, code, line, request(`{"transactionId":`+id+`}`), store)
	}
	for i, v := range []string{"", "0", "1", "no", "FALSE%20", "ＦＡＬＳＥ"} {
		add("136"+string(rune('a'+i)), "is_test="+v, "invalid_format", line, order, store, "is_test="+v)
	}
	add("136g", "is_test twice", "duplicate_parameter", line, order, store, "is_test=TRUE", "is_test=TRUE")
	add("139", "the secret twice", "duplicate_member", line, request(`{"channel_secret":"{canary}","channel_secret":"{canary}"}`))
	add("140", "a secret of 4 KiB", "invalid_format", line, request(`{"channel_id":"1606993764","channel_secret":"{canary}`+strings.Repeat("a", 4096)+`","orderId":"{order}"}`))
	add("Q1", "neither order nor transaction", "missing_field", line, request("{}"), store)
	add("Q2", "an order that is a number", "invalid_type", line, request(`{"orderId":1}`), store)
	add("Q3", "an unknown column", "unknown_member", line, request(`{"orderId":"{order}","x":"{canary}"}`), store)
	add("Q4", "an order of 101 characters", "too_long", line, request(`{"orderId":"`+strings.Repeat("A", 101)+`"}`), store)
	add("Q5", "a semicolon as separator", "missing_field", line+";"+order, store)
	add("Q6", "no query at all", "missing_field")
	add("Q7", "the token as parameter", "token_in_url", line, order, store, "access_token={token}")
	add("Q8", "an unknown store", "config_missing", line, order, "store_id=nowhere")
	add("Q9", "no store and no credentials", "missing_field", line, order)
	add("Q10", "an empty order", "missing_field", line, request(`{"orderId":""}`), store)
	return rows
}

func badKeys() []bad {
	good := pay()
	var rows []bad
	for i, key := range []string{"", strings.Repeat("k", 256), `"unbalanced`, `unbalanced"`, "emoji-\U0001f600", "a b\x01"} {
		rows = append(rows, bad{
			id: "149" + string(rune('a'+i)), what: "the key " + key, headers: []string{"Idempotency-Key: " + key}, body: good,
			status: 400, code: "invalid_idempotency_key",
		})
	}
	// Go's own server refuses control characters in a header before any handler sees them.
	rows[5].code = ""
	return append(rows, bad{
		id: "149g", what: "two keys", headers: []string{"Idempotency-Key: a", "Idempotency-Key: b"}, body: good,
		status: 400, code: "invalid_idempotency_key",
	})
}

// badOwn are inputs that the catalogue does not have.
func badOwn() []bad {
	linePay := func(changes ...string) string {
		c := map[string]string{
			"productName": `"x"`, "amount": "229", "currency": `"TWD"`, "orderId": `"{order}"`, "oneTimeKey": `"{canary}"`,
		}
		for i := 0; i+1 < len(changes); i += 2 {
			c[changes[i]] = changes[i+1]
		}
		return object(map[string]string{"type": `"LINE_QRCODE_PAY"`, "store_id": `"0"`, "is_test": "true", "request": object(c)})
	}
	var rows []bad
	add := func(id, what, code, body string) {
		rows = append(rows, bad{id: id, what: what, line: linePost, body: body, status: 400, code: code})
	}
	add("O1", "no type in the envelope", "missing_field", `{"request":{"key":"{canary}"},"store_id":"0"}`)
	add("O2", "type null", "missing_field", `{"type":null,"request":{"key":"{canary}"},"store_id":"0"}`)
	add("O3", "type as number", "invalid_type", `{"type":1,"request":{"key":"{canary}"},"store_id":"0"}`)
	add("O4", "no request", "missing_field", `{"type":"LINE_QRCODE_PAY","store_id":"0"}`)
	add("O5", "an unknown type", "unknown_type", `{"type":"NO_SUCH_PAY","request":{"key":"{canary}"},"store_id":"0"}`)
	add("O6", "a type in other case", "unknown_type", `{"type":"line_qrcode_pay","request":{"key":"{canary}"},"store_id":"0"}`)
	add("O7", "a type with a line break", "unknown_type", `{"type":"LINE\n{canary}","request":{},"store_id":"0"}`)
	add("O8", "an unknown currency", "invalid_format", linePay("currency", `"EUR"`))
	add("O9", "a currency in lower case", "invalid_format", linePay("currency", `"twd"`))
	add("O10", "decimals of a currency that has none", "invalid_type", linePay("amount", "229.5"))
	add("O11", "three decimals of dollars", "invalid_format", linePay("amount", "9.999", "currency", `"USD"`))
	add("O12", "an exponent in dollars", "invalid_type", linePay("amount", "1e1", "currency", `"USD"`))
	add("O13", "a negative amount of dollars", "out_of_range", linePay("amount", "-9.99", "currency", `"USD"`))
	add("O14", "an amount as boolean", "invalid_type", linePay("amount", "true"))
	add("O15", "no product name", "missing_field", linePay("productName", ""))
	add("O16", "an empty one-time key", "missing_field", linePay("oneTimeKey", `""`))
	add("O17", "a one-time key as number", "invalid_type", linePay("oneTimeKey", "381234567890123456"))
	add("O18", "an order with a slash that climbs", "invalid_format", linePay("orderId", `"../{order}\u0000"`))
	add("O19", "an order of 101 characters", "too_long", linePay("orderId", `"`+strings.Repeat("A", 101)+`"`))
	add("O20", "search parameters in a pay body", "unknown_member", linePay("transactionId", "1"))
	add("O21", "the envelope's store as object", "invalid_type", `{"type":"LINE_QRCODE_PAY","store_id":{},"request":{"orderId":"{order}"}}`)
	add("O22", "a number of five thousand digits", "out_of_range", linePay("amount", strings.Repeat("1", 5000)))
	add("O23", "an id that is a prototype", "unknown_member", linePay("__proto__", `{"amount":1}`))
	add("O24", "an empty member name", "unknown_member", linePay("", "1")+" ")
	rows[len(rows)-1].body = strings.Replace(linePay(), `"amount":`, `"":1,"amount":`, 1)
	post := func(id, what, body string) {
		rows = append(rows, bad{id: id, what: what, line: searchPost, body: body, status: 400, code: "invalid_type"})
	}
	post("O25", "search with request as text", `{"type":"LINE_QRCODE_PAY","store_id":"0","request":"{\"orderId\":\"{canary}\"}"}`)
	post("O26", "search with is_test as text", `{"type":"LINE_QRCODE_PAY","store_id":"0","is_test":"TRUE","request":{"orderId":"1"}}`)
	post("O27", "search with a float id", `{"type":"LINE_QRCODE_PAY","store_id":"0","request":{"transactionId":2019049910005496810.5}}`)
	post("O28", "search with an id as text", `{"type":"LINE_QRCODE_PAY","store_id":"0","request":{"transactionId":"2019049910005496810"}}`)
	rows = append(
		rows,
		bad{id: "O29", what: "QUERY without a body", line: "QUERY /v1/payment/integrate/search", status: 400, code: "malformed_json"},
		bad{id: "O30", what: "QUERY as a form", line: "QUERY /v1/payment/integrate/search", headers: []string{"Content-Type: application/x-www-form-urlencoded"}, body: "type=x", status: 415, code: "unsupported_media_type"},
		bad{id: "O31", what: "a payment id that is none", line: "GET /v2/payments/{canary}", status: 404, code: "payment_not_found"},
		bad{id: "O32", what: "a payment that does not exist", line: "GET /v2/payments/01890a5d-ac96-774b-bcce-b302099a8057", status: 404, code: "payment_not_found"},
		bad{id: "O33", what: "a list with a state that does not exist", line: "GET /v2/payments?state={canary}", status: 400, code: "invalid_format"},
		bad{id: "O34", what: "a list of minus one", line: "GET /v2/payments?limit=-1", status: 400, code: "out_of_range"},
		bad{id: "O35", what: "a list from a date that is none", line: "GET /v2/payments?created_from={canary}", status: 400, code: "invalid_format"},
		bad{id: "O36", what: "a token request as JSON", line: "POST /oauth/v1/token", headers: []string{"-Authorization"}, body: `{"client_secret":"{canary}"}`, status: 400},
		bad{id: "O37", what: "a token request without a grant", line: "POST /oauth/v1/token", headers: []string{"-Authorization", "Content-Type: application/x-www-form-urlencoded"}, body: "client_id=x&client_secret={canary}", status: 400},
		bad{id: "O38", what: "a password grant", line: "POST /oauth/v1/token", headers: []string{"-Authorization", "Content-Type: application/x-www-form-urlencoded"}, body: "grant_type=password&username=x&password={canary}", status: 400},
		bad{id: "O39", what: "a token request of nobody", line: "POST /oauth/v1/token", headers: []string{"-Authorization", "Content-Type: application/x-www-form-urlencoded"}, body: "grant_type=client_credentials&client_id=nobody&client_secret={canary}", status: 401},
		bad{id: "O40", what: "a secret in the query of the token route", line: "POST /oauth/v1/token?client_secret={canary}", headers: []string{"-Authorization", "Content-Type: application/x-www-form-urlencoded"}, body: "grant_type=client_credentials", status: 400},
	)
	return rows
}
