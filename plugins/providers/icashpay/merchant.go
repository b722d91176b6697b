package icashpay

import (
	"cmp"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/payrack/payrack/plugins/sdk/provider"
	"github.com/payrack/payrack/plugins/sdk/seal"
)

// merchant is the credential set of one call, with its keys read.
type merchant struct {
	MerchantID string          `json:"merchant_id"`
	PlatformID string          `json:"platform_id"`
	EncKeyID   string          `json:"enc_key_id"`
	AESKey     provider.Secret `json:"aes_key"`
	AESIV      provider.Secret `json:"aes_iv"`
	PrivateKey provider.Secret `json:"private_key"`
	PublicKey  string          `json:"gateway_public_key"`
	StoreID    string          `json:"store_id"`
	StoreName  string          `json:"store_name"`

	cipher  seal.CBC
	private *rsa.PrivateKey
	public  *rsa.PublicKey
}

func merchantOf(call provider.Call) (merchant, error) {
	var m merchant
	if err := call.Credential.Decode(&m); err != nil {
		return merchant{}, errors.New("the credential set cannot be read")
	}
	switch {
	case m.MerchantID == "" || m.EncKeyID == "":
		return merchant{}, errors.New("the credential set has no merchant_id or no enc_key_id")
	case call.Account != "" && call.Account != m.MerchantID:
		return merchant{}, errors.New("the credential set belongs to another merchant than the payment")
	case len(m.AESKey.Reveal()) != 32 || len(m.AESIV.Reveal()) != seal.IVSize:
		return merchant{}, errors.New("aes_key must have 32 characters and aes_iv 16")
	}
	m.PlatformID = cmp.Or(m.PlatformID, m.MerchantID)
	var err error
	if m.cipher, err = seal.NewCBC([]byte(m.AESKey.Reveal())); err != nil {
		return merchant{}, err
	}
	if m.private, err = seal.ParsePrivateKey(m.PrivateKey.Reveal()); err != nil {
		return merchant{}, fmt.Errorf("private_key: %w", err)
	}
	if m.public, err = seal.ParsePublicKey(m.PublicKey); err != nil {
		return merchant{}, fmt.Errorf("gateway_public_key: %w", err)
	}
	return m, nil
}

// ids are the columns in which a request may name the merchant and its shop.
type ids struct {
	PlatformID string `json:"PlatformID"`
	MerchantID string `json:"MerchantID"`
	StoreID    string `json:"StoreID"`
	StoreName  string `json:"StoreName"`
}

// with fills a request's ids from the credential set. A request for another merchant is refused, not rewritten.
func (m merchant) with(i ids) (ids, error) {
	if i.MerchantID != "" && i.MerchantID != m.MerchantID || i.PlatformID != "" && i.PlatformID != m.PlatformID {
		return ids{}, errors.New("MerchantID and PlatformID must be those of the stored credentials, or absent")
	}
	return ids{m.PlatformID, m.MerchantID, cmp.Or(i.StoreID, m.StoreID), cmp.Or(i.StoreName, m.StoreName)}, nil
}
