package ipass

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// withDefaults lays the settings over the defaults; tables are merged entry by entry.
func (w Wire) withDefaults() Wire {
	d := assumed().Wire
	for _, setting := range []struct {
		to  *string
		own string
	}{
		{&d.Cipher, w.Cipher},
		{&d.KeyEncoding, w.KeyEncoding},
		{&d.IVTransport, w.IVTransport},
		{&d.IVHeader, w.IVHeader},
		{&d.IVCase, w.IVCase},
		{&d.IVMember, w.IVMember},
		{&d.DataEncoding, w.DataEncoding},
		{&d.DataMember, w.DataMember},
		{&d.MerchantHeader, w.MerchantHeader},
		{&d.FieldCase, w.FieldCase},
		{&d.Paths.Pay, w.Paths.Pay},
		{&d.Paths.Capture, w.Paths.Capture},
		{&d.Paths.Refund, w.Paths.Refund},
		{&d.Paths.Void, w.Paths.Void},
		{&d.Paths.Search, w.Paths.Search},
	} {
		*setting.to = cmp.Or(setting.own, *setting.to)
	}
	d.Names = inCase(d.Names, d.FieldCase)
	maps.Copy(d.Names, w.Names)
	d.Codes, d.PayStatus = maps.Clone(d.Codes), maps.Clone(d.PayStatus)
	maps.Copy(d.Codes, w.Codes)
	maps.Copy(d.PayStatus, w.PayStatus)
	d.platform = make(map[string]string, len(d.Names))
	for name, on := range d.Names {
		d.platform[strings.ToLower(on)] = name
	}
	return d
}

// inCase writes the names of wire.json, which are in camelCase, in another case.
func inCase(names map[string]string, style string) map[string]string {
	out := make(map[string]string, len(names))
	for platform, name := range names {
		switch style {
		case pascalCase:
			name = strings.ToUpper(name[:1]) + name[1:]
		case snakeCase:
			name = snake(name)
		}
		out[platform] = name
	}
	return out
}

func snake(camel string) string {
	var b strings.Builder
	for _, r := range camel {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// problems says what is wrong, w being merged and own being what was set.
func (w Wire) problems(own Wire) []string {
	problems := []string{
		oneOf("wire.cipher", w.Cipher, cipherCBC, cipherGCM),
		oneOf("wire.key_encoding", w.KeyEncoding, keyRaw, textHex, textBase64),
		oneOf("wire.iv_transport", w.IVTransport, ivInHeader, ivInBody, ivBeforeCrypt),
		oneOf("wire.iv_case", w.IVCase, lowerCase, upperCase),
		oneOf("wire.data_encoding", w.DataEncoding, textBase64, textHex),
		oneOf("wire.field_case", w.FieldCase, camelCase, pascalCase, snakeCase),
	}
	if w.IVMember == w.DataMember {
		problems = append(problems, "wire.iv_member and wire.data_member must differ")
	}
	for _, h := range [][2]string{{"wire.iv_header", w.IVHeader}, {"wire.merchant_header", w.MerchantHeader}} {
		if strings.Trim(h[1], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			problems = append(problems, fmt.Sprintf("%s must be a header name of letters, digits and hyphens", h[0]))
		}
	}
	if strings.EqualFold(w.IVHeader, w.MerchantHeader) {
		problems = append(problems, "wire.iv_header and wire.merchant_header must differ")
	}
	problems = append(problems, w.Paths.problems()...)
	if len(w.platform) != len(w.Names) {
		problems = append(problems, "wire.names must give every column a name of its own")
	}
	known := assumed().Names
	for _, name := range slices.Sorted(maps.Keys(own.Names)) {
		if known[name] == "" || own.Names[name] == "" {
			problems = append(problems, fmt.Sprintf("wire.names.%s is not a column with a name", name))
		}
	}
	for _, code := range slices.Sorted(maps.Keys(own.Codes)) {
		if slices.Contains(assumed().Published, code) {
			problems = append(problems, fmt.Sprintf("wire.codes.%s is published by iPASS and cannot be changed", code))
		}
		problems = append(problems, oneOf("wire.codes."+code+".class", own.Codes[code].Class, classSuccess, classDuplicate, classUnknown, classDeclined, classVerify, classNotFound))
	}
	for _, status := range slices.Sorted(maps.Keys(own.PayStatus)) {
		problems = append(problems, oneOf("wire.pay_status."+status, own.PayStatus[status],
			statusOpen, statusPaid, statusRefunded, statusPartlyRefunded, statusReversed, statusFailed))
	}
	return slices.DeleteFunc(problems, func(problem string) bool { return problem == "" })
}

func (p Paths) problems() []string {
	var problems []string
	for _, x := range [][2]string{
		{"pay", p.Pay}, {"capture", p.Capture}, {"refund", p.Refund}, {"void", p.Void}, {"search", p.Search},
	} {
		if !strings.HasPrefix(x[1], "/") || strings.ContainsAny(x[1], "?#% ") {
			problems = append(problems, fmt.Sprintf("wire.paths.%s must be a path that begins with / and has no query", x[0]))
		}
	}
	return problems
}

func oneOf(name, value string, allowed ...string) string {
	if slices.Contains(allowed, value) {
		return ""
	}
	return fmt.Sprintf("%s must be one of %s", name, strings.Join(allowed, ", "))
}
