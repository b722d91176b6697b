// Package tokens is outbound.Signer: access tokens as signed JWTs (RFC 9068) with go-jose.
//
// Tokens are signed with ES256 keys that lie in one private file, jwt.json, in the keys folder. The file
// may hold several keys: the newest whose time has come signs, all of them verify and are published as a JSON
// Web Key Set, so that a rotation has an overlap and no valid token is refused. Each process that signs or
// reads tokens reads the file again every half minute and not more often, so nothing is restarted. A token that
// names an unknown key is refused until then: a new key is published for two minutes before it signs.
//
// Reading a token trusts nothing in it: the header may hold alg, kid and typ only, alg must be ES256, kid is
// looked up in a map and is never a path, an address or a key. Verified tokens are remembered by their SHA-256
// until they expire, in a bounded cache, because checking a signature costs more than the rest of the request's
// reading. There is no list of revoked tokens: they are short-lived.
//
// If the keys folder becomes unreadable the keys in use stay; if it is unreadable at the start New fails.
package tokens
