package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"errors"
)

// IVSize is the length of an initialization vector in bytes.
const IVSize = aes.BlockSize

var (
	// ErrKey says that a key or an initialization vector is of no length that AES knows.
	ErrKey = errors.New("an AES key has 16, 24 or 32 bytes and its IV has 16")
	// ErrOpen says that a message cannot be deciphered, and never why.
	ErrOpen = errors.New("the message cannot be deciphered")
)

// CBC is AES in CBC mode with PKCS7 padding, under one key. It is safe for concurrent use.
type CBC struct{ block cipher.Block }

// NewCBC takes a key of 16, 24 or 32 bytes; the length chooses AES-128, AES-192 or AES-256. Another length is
// ErrKey.
func NewCBC(key []byte) (CBC, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return CBC{}, ErrKey
	}
	return CBC{block: block}, nil
}

// Seal enciphers a message. The only error is ErrKey, for an IV that is not of 16 bytes.
func (c CBC) Seal(iv, clear []byte) ([]byte, error) {
	if c.block == nil || len(iv) != IVSize {
		return nil, ErrKey
	}
	pad := aes.BlockSize - len(clear)%aes.BlockSize
	out := append(append(make([]byte, 0, len(clear)+pad), clear...), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(c.block, iv).CryptBlocks(out, out)
	return out, nil
}

// Open deciphers a message and leaves sealed as it is. The error is ErrKey for an IV that is not of 16 bytes and
// ErrOpen for everything else.
func (c CBC) Open(iv, sealed []byte) ([]byte, error) {
	if c.block == nil || len(iv) != IVSize {
		return nil, ErrKey
	}
	if len(sealed) == 0 || len(sealed)%aes.BlockSize != 0 {
		return nil, ErrOpen
	}
	out := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(c.block, iv).CryptBlocks(out, sealed)
	return unpad(out)
}

// unpad takes PKCS7 padding off, looking at the same bytes whatever they are.
func unpad(padded []byte) ([]byte, error) {
	last := padded[len(padded)-1]
	n := int(last)
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, aes.BlockSize)
	for i := 1; i <= aes.BlockSize; i++ {
		outside := 1 ^ subtle.ConstantTimeLessOrEq(i, n)
		good &= outside | subtle.ConstantTimeByteEq(padded[len(padded)-i], last)
	}
	if good != 1 {
		return nil, ErrOpen
	}
	return padded[:len(padded)-n], nil
}
