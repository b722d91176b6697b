package provider

import (
	"context"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// Pay starts a payment.
func (s *service) Pay(ctx context.Context, r *providerv1.PayRequest) (*providerv1.PayResponse, error) {
	return &providerv1.PayResponse{Answer: s.move(ctx, KindPay, r, func(ctx context.Context, p Provider) (Answer, bool) {
		able, ok := p.(Payer)
		if !ok {
			return Answer{}, false
		}
		return able.Pay(ctx, payFromWire(r)), true
	})}, nil
}

// Confirm finishes a payment.
func (s *service) Confirm(ctx context.Context, r *providerv1.ConfirmRequest) (*providerv1.ConfirmResponse, error) {
	return &providerv1.ConfirmResponse{Answer: s.move(ctx, KindConfirm, r, func(ctx context.Context, p Provider) (Answer, bool) {
		able, ok := p.(Confirmer)
		if !ok {
			return Answer{}, false
		}
		return able.Confirm(ctx, confirmFromWire(r)), true
	})}, nil
}

// Capture takes an authorized amount.
func (s *service) Capture(ctx context.Context, r *providerv1.CaptureRequest) (*providerv1.CaptureResponse, error) {
	return &providerv1.CaptureResponse{Answer: s.move(ctx, KindCapture, r, func(ctx context.Context, p Provider) (Answer, bool) {
		able, ok := p.(Capturer)
		if !ok {
			return Answer{}, false
		}
		return able.Capture(ctx, captureFromWire(r)), true
	})}, nil
}

// Void cancels an authorization.
func (s *service) Void(ctx context.Context, r *providerv1.VoidRequest) (*providerv1.VoidResponse, error) {
	return &providerv1.VoidResponse{Answer: s.move(ctx, KindVoid, r, func(ctx context.Context, p Provider) (Answer, bool) {
		able, ok := p.(Voider)
		if !ok {
			return Answer{}, false
		}
		return able.Void(ctx, voidFromWire(r)), true
	})}, nil
}

// Refund gives captured money back.
func (s *service) Refund(ctx context.Context, r *providerv1.RefundRequest) (*providerv1.RefundResponse, error) {
	return &providerv1.RefundResponse{Answer: s.move(ctx, KindRefund, r, func(ctx context.Context, p Provider) (Answer, bool) {
		able, ok := p.(Refunder)
		if !ok {
			return Answer{}, false
		}
		return able.Refund(ctx, refundFromWire(r)), true
	})}, nil
}

// Search asks what the provider knows.
func (s *service) Search(ctx context.Context, r *providerv1.SearchRequest) (*providerv1.SearchResponse, error) {
	var a SearchAnswer
	f := s.ask(ctx, KindSearch, r, func(ctx context.Context, p Provider) bool {
		able, ok := p.(Searcher)
		if ok {
			a = able.Search(ctx, searchFromWire(r))
		}
		return ok
	})
	if f != nil {
		a = SearchAnswer{Failure: f}
	}
	return searchToWire(a), nil
}

// CheckMandate asks about a stored approval.
func (s *service) CheckMandate(ctx context.Context, r *providerv1.CheckMandateRequest) (*providerv1.CheckMandateResponse, error) {
	var a MandateAnswer
	f := s.ask(ctx, KindCheckMandate, r, func(ctx context.Context, p Provider) bool {
		able, ok := p.(MandateChecker)
		if ok {
			a = able.CheckMandate(ctx, checkMandateFromWire(r))
		}
		return ok
	})
	if f != nil {
		a = MandateAnswer{Failure: f}
	}
	return checkMandateToWire(a), nil
}

// ExpireMandate ends a stored approval.
func (s *service) ExpireMandate(ctx context.Context, r *providerv1.ExpireMandateRequest) (*providerv1.ExpireMandateResponse, error) {
	var a MandateAnswer
	f := s.ask(ctx, KindExpireMandate, r, func(ctx context.Context, p Provider) bool {
		able, ok := p.(MandateExpirer)
		if ok {
			a = able.ExpireMandate(ctx, expireMandateFromWire(r))
		}
		return ok
	})
	if f != nil {
		a = MandateAnswer{Failure: f}
	}
	return expireMandateToWire(a), nil
}

// ParseNotification reads what the provider pushed. Without the ability nothing is concluded from it.
func (s *service) ParseNotification(
	ctx context.Context, r *providerv1.ParseNotificationRequest,
) (*providerv1.ParseNotificationResponse, error) {
	rev := s.acquire()
	if rev == nil {
		return &providerv1.ParseNotificationResponse{}, nil
	}
	defer rev.release()
	var a NotificationAnswer
	s.protected(ctx, "parse_notification", func() {
		if able, ok := rev.provider.(NotificationParser); ok {
			a = able.ParseNotification(ctx, notificationFromWire(r))
		}
	})
	return notificationToWire(a), nil
}
