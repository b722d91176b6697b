// Package form checks native requests and credential sets against the annotated JSON Schemas that a
// provider declares, and takes out of them what the platform must know. It names no provider and starts
// nothing.
//
// Everything is decided on the raw tokens of the request: a number never passes through a float, so that
// 229.0 is no integer and a 19-digit id keeps its digits. No value that a client sent appears in an error.
//
// # The agreement
//
// A schema is an object with properties, required and additionalProperties: false. `$ref`, combinations and
// conditional keywords are refused when the release is activated, because annotations inside them could
// hide; only `anyOf` of `required` at the top ("one of these columns") and a `not` over constants are read.
//
//	x-payrack-role         amount, currency, order, request_id, code, credential, time, mandate, transaction,
//	                       capture, description, mandate_id, return_url, cancel_url; in credential sets account
//	                       and wire
//	x-payrack-alias        other spellings of the member
//	x-payrack-trim         ASCII space and tab around a text are dropped
//	x-payrack-text         free text: newline and tab are allowed
//	x-payrack-fingerprint  false: not part of what makes two requests the same
//	x-payrack-secret       never leaves in a log, error, span or database
//	x-payrack-code         the error code when the value is not one that the schema takes
//
// A member with a role may stand inside an object, and a role may have members at different places if two dialects
// of a provider write it differently (confirmUrl and redirectUrls.confirmUrl): what is given at two of them must be
// the same, and means the same wherever it stands. Amount and currency have one place, credentials stand at the top,
// and nothing inside a list has a role.
//
// Compose goes the other way: it writes provider-neutral values into the columns by their roles, so that a neutral
// request takes the same path as a native one from there on.
package form
