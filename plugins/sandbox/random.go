package sandbox

import (
	"encoding/binary"
	"encoding/hex"
	"io"
)

// RandomBytes reads n bytes. A source of chance that fails is not survivable, as in crypto/rand.
func RandomBytes(rand io.Reader, n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(rand, b); err != nil {
		panic("sandbox: the random source failed: " + err.Error())
	}
	return b
}

// RandomHex returns n lower-case hexadecimal digits; n is even.
func RandomHex(rand io.Reader, n int) string {
	return hex.EncodeToString(RandomBytes(rand, n/2))
}

// RandomDigits returns n decimal digits.
func RandomDigits(rand io.Reader, n int) string {
	digits := make([]byte, 0, n)
	for len(digits) < n {
		for _, b := range RandomBytes(rand, n) {
			// 250 is the largest multiple of ten that a byte holds: no digit is favoured.
			if b < 250 && len(digits) < n {
				digits = append(digits, '0'+b%10)
			}
		}
	}
	return string(digits)
}

// chance returns true with probability p.
func chance(rand io.Reader, p float64) bool {
	if p >= 1 {
		return true
	}
	const bits = 53
	return float64(binary.BigEndian.Uint64(RandomBytes(rand, 8))>>(64-bits))/(1<<bits) < p
}
