package naive

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
)

const (
	payPath        = "/v4/payments/oneTimeKeys/pay"
	maxAnswer      = 64 << 10
	gatewayTimeout = 45 * time.Second
)

// gateway speaks LINE Pay's in-store API, version 4.
type gateway struct {
	url     string
	channel string
	secret  []byte
	client  *http.Client
}

func newGateway(url, channel, secret string) *gateway {
	return &gateway{
		url: url, channel: channel, secret: []byte(secret),
		client: &http.Client{
			Timeout:   gatewayTimeout,
			Transport: &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024, IdleConnTimeout: time.Minute, DisableCompression: true},
		},
	}
}

type (
	chargeBody struct {
		Amount     int64           `json:"amount"`
		Currency   string          `json:"currency"`
		OrderID    string          `json:"orderId"`
		OneTimeKey string          `json:"oneTimeKey"`
		Packages   []chargePackage `json:"packages"`
	}
	chargePackage struct {
		ID       string          `json:"id"`
		Amount   int64           `json:"amount"`
		Products []chargeProduct `json:"products"`
	}
	chargeProduct struct {
		Name     string `json:"name"`
		Quantity int    `json:"quantity"`
		Price    int64  `json:"price"`
	}
	chargeAnswer struct {
		ReturnCode string `json:"returnCode"`
		Info       struct {
			TransactionID json.Number `json:"transactionId"`
			OrderID       string      `json:"orderId"`
			PayInfo       []struct {
				Amount int64 `json:"amount"`
			} `json:"payInfo"`
		} `json:"info"`
	}
)

// charge takes an amount. The answer is LINE Pay's own, read and as bytes; an error says that the outcome is unknown.
func (g *gateway) charge(ctx context.Context, r nativePay) (chargeAnswer, []byte, error) {
	body, err := json.Marshal(chargeBody{
		Amount: r.Amount, Currency: r.Currency, OrderID: r.OrderID, OneTimeKey: r.OneTimeKey,
		Packages: []chargePackage{{ID: "1", Amount: r.Amount, Products: []chargeProduct{{Name: r.ProductName, Quantity: 1, Price: r.Amount}}}},
	})
	if err != nil {
		return chargeAnswer{}, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+payPath, bytes.NewReader(body))
	if err != nil {
		return chargeAnswer{}, nil, err
	}
	req.GetBody = nil // a charge is never sent twice
	nonce := uuid.NewString()
	mac := hmac.New(sha256.New, g.secret)
	mac.Write(g.secret)
	mac.Write([]byte(payPath))
	mac.Write(body)
	mac.Write([]byte(nonce))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Line-Channelid", g.channel)
	req.Header.Set("X-Line-Authorization-Nonce", nonce)
	req.Header.Set("X-Line-Authorization", base64.StdEncoding.EncodeToString(mac.Sum(nil)))

	resp, err := g.client.Do(req)
	if err != nil {
		return chargeAnswer{}, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return chargeAnswer{}, nil, err
	}
	var answer chargeAnswer
	if resp.StatusCode != http.StatusOK {
		return answer, nil, fmt.Errorf("the gateway answered %d", resp.StatusCode)
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return answer, nil, err
	}
	if answer.ReturnCode == "0000" {
		var paid int64
		for _, part := range answer.Info.PayInfo {
			paid += part.Amount
		}
		if answer.Info.OrderID != r.OrderID || paid != r.Amount || answer.Info.TransactionID == "" {
			return answer, nil, fmt.Errorf("the answer speaks of another payment")
		}
	}
	return answer, raw, nil
}
