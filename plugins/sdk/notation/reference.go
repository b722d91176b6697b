package notation

import (
	"crypto/sha256"
	"math/big"
)

// maxReference is as many base-36 digits as 256 bits fill for certain.
const maxReference = 48

// Reference is a gateway's own number for one of our operations, for gateways that take only a few letters and
// digits: n characters of 0-9 and A-Z, at most 48, that depend on nothing but id. The same operation has the same
// reference in every process, so that an answer that was lost can be asked for again. Twenty characters hold 103
// bits: among a hundred million operations the chance that two share a reference is below 10^-14.
func Reference(id string, n int) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	sum := sha256.Sum256([]byte(id))
	number, base, digit := new(big.Int).SetBytes(sum[:]), big.NewInt(int64(len(digits))), new(big.Int)
	out := make([]byte, max(0, min(n, maxReference)))
	for i := range out {
		number.QuoRem(number, base, digit)
		out[i] = digits[digit.Int64()]
	}
	return string(out)
}
