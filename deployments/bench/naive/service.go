package naive

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// paymentType is the one payment type of the rival.
const paymentType = "LINE_QRCODE_PAY"

// maxBody bounds a request, in bytes.
const maxBody = 64 << 10

// Options of the service.
type Options struct {
	// Database is the path of the SQLite file.
	Database string `json:"database"`
	// GatewayURL leads to LINE Pay, or to the stub of the benchmark.
	GatewayURL string `json:"gateway_url"`
	// StoreID is the one store, ChannelID and ChannelSecret its credentials.
	StoreID       string `json:"store_id"`
	ChannelID     string `json:"channel_id"`
	ChannelSecret string `json:"channel_secret"`
	// Keys verify the callers' tokens.
	Keys jose.JSONWebKeySet `json:"keys"`
}

// Service takes payments at POST /v1/payment/integrate/pay.
type Service struct {
	echo     *echo.Echo
	store    *Store
	gateway  *gateway
	verifier *verifier
	storeID  string
}

// New opens the store and makes the service.
func New(ctx context.Context, o Options) (*Service, error) {
	store, err := OpenStore(ctx, o.Database)
	if err != nil {
		return nil, err
	}
	s := &Service{
		echo: echo.New(), store: store, storeID: o.StoreID,
		gateway: newGateway(o.GatewayURL, o.ChannelID, o.ChannelSecret), verifier: newVerifier(o.Keys),
	}
	s.echo.HideBanner, s.echo.HidePort = true, true
	s.echo.POST("/v1/payment/integrate/pay", s.pay, s.authorized("pay"))
	return s, nil
}

// ServeHTTP serves the API.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// Close closes the store.
func (s *Service) Close() error { return s.store.Close() }

type (
	envelope struct {
		Type    string    `json:"type"`
		StoreID string    `json:"store_id"`
		IsTest  bool      `json:"is_test"`
		Request nativePay `json:"request"`
	}
	nativePay struct {
		ProductName string `json:"productName"`
		Amount      int64  `json:"amount"`
		Currency    string `json:"currency"`
		OrderID     string `json:"orderId"`
		OneTimeKey  string `json:"oneTimeKey"`
	}
	problem struct {
		Message string `json:"message"`
	}
)

// missing names the first column that is not there.
func (n nativePay) missing() string {
	switch {
	case n.ProductName == "":
		return "productName"
	case n.Amount <= 0:
		return "amount"
	case n.Currency == "":
		return "currency"
	case n.OrderID == "":
		return "orderId"
	case n.OneTimeKey == "":
		return "oneTimeKey"
	default:
		return ""
	}
}

const principalKey = "principal"

func (s *Service) authorized(scope string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			p, err := s.verifier.check(c.Request().Header.Get(echo.HeaderAuthorization), scope)
			switch {
			case errors.Is(err, errScope):
				return c.JSON(http.StatusForbidden, problem{"insufficient scope"})
			case err != nil:
				return c.JSON(http.StatusUnauthorized, problem{"invalid token"})
			}
			c.Set(principalKey, p)
			return next(c)
		}
	}
}

func (s *Service) pay(c echo.Context) error {
	who, ok := c.Get(principalKey).(principal)
	if !ok {
		return c.JSON(http.StatusUnauthorized, problem{"invalid token"})
	}
	var in envelope
	decoder := json.NewDecoder(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return c.JSON(http.StatusBadRequest, problem{"the body is not what was expected"})
	}
	if in.Type != paymentType {
		return c.JSON(http.StatusBadRequest, problem{"unknown type"})
	}
	if column := in.Request.missing(); column != "" {
		return c.JSON(http.StatusBadRequest, problem{column + " is missing"})
	}
	if in.StoreID != s.storeID {
		return c.JSON(http.StatusBadRequest, problem{"no credentials for this store"})
	}

	// The client may hang up; what was begun is finished and written down.
	ctx := context.WithoutCancel(c.Request().Context())
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	now := time.Now().UnixMicro()
	p := &Payment{
		ID: id.String(), Company: who.company, Store: in.StoreID, Type: in.Type,
		OrderNo: in.Request.OrderID, Amount: in.Request.Amount, Currency: in.Request.Currency,
		State: Sending, CreatedAt: now, UpdatedAt: now,
	}
	switch err := s.store.Add(ctx, p); {
	case errors.Is(err, ErrOrderTaken):
		return c.JSON(http.StatusConflict, problem{"this order number has a payment"})
	case err != nil:
		return err
	}

	answer, raw, err := s.gateway.charge(ctx, in.Request)
	switch {
	case err != nil:
		p.State = Unknown
	case answer.ReturnCode == "0000":
		p.State, p.ProviderTxn, p.Reply = Succeeded, answer.Info.TransactionID.String(), string(raw)
	default:
		p.State, p.Reply = Failed, string(raw)
	}
	if err := s.store.Finish(ctx, p); err != nil {
		return err
	}
	if p.State == Unknown {
		return c.JSON(http.StatusGatewayTimeout, problem{"the outcome is not known yet"})
	}
	return c.JSONBlob(http.StatusOK, raw)
}
