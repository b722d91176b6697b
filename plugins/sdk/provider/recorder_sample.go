package provider

import (
	"sync"
	"time"

	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// A sample is bounded in three ways: so many a second of one operation with one return code, so many of all together,
// and so many codes that are told apart.
const (
	sampleBurst    = 3
	samplePerKey   = 1.0
	sampleAllBurst = 20
	samplePerAll   = 10.0
	sampleKeys     = 1024
)

// sampleKey is what makes two calls alike: a code that is rare is kept although a frequent one fills its share.
type sampleKey struct {
	kind        Kind
	paymentType string
	code        string
}

// sampler says which calls are kept.
type sampler struct {
	now func() time.Time

	mu   sync.Mutex
	all  bucket
	keys map[sampleKey]*bucket
}

// bucket is a token bucket.
type bucket struct {
	tokens float64
	at     time.Time
}

func (b *bucket) fill(now time.Time, perSecond, most float64) {
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens = min(most, b.tokens+perSecond*passed.Seconds())
		b.at = now
	}
}

func newSampler(now func() time.Time) sampler {
	return sampler{now: now, keys: map[sampleKey]*bucket{}, all: bucket{tokens: sampleAllBurst, at: now()}}
}

func (s *sampler) takes(k sampleKey) bool {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	b, known := s.keys[k]
	if !known {
		if len(s.keys) >= sampleKeys {
			clear(s.keys) // a gateway that makes its codes up; the common share still bounds it
		}
		b = &bucket{tokens: sampleBurst, at: now}
		s.keys[k] = b
	}
	b.fill(now, samplePerKey, sampleBurst)
	s.all.fill(now, samplePerAll, sampleAllBurst)
	if b.tokens < 1 || s.all.tokens < 1 {
		return false
	}
	b.tokens--
	s.all.tokens--
	return true
}

// sampleOf sorts a call; its kind is empty for one that is not about a payment. It runs at the end of every call that
// could be recorded, and makes nothing.
func sampleOf(asked, answered any) sampleKey {
	about, ok := asked.(request)
	if !ok {
		return sampleKey{}
	}
	return sampleKey{kind: kindOf(asked), paymentType: about.GetCall().GetPaymentType(), code: codeOf(answered)}
}

func kindOf(asked any) Kind {
	switch asked.(type) {
	case *providerv1.PayRequest:
		return KindPay
	case *providerv1.ConfirmRequest:
		return KindConfirm
	case *providerv1.CaptureRequest:
		return KindCapture
	case *providerv1.VoidRequest:
		return KindVoid
	case *providerv1.RefundRequest:
		return KindRefund
	case *providerv1.SearchRequest:
		return KindSearch
	case *providerv1.CheckMandateRequest:
		return KindCheckMandate
	case *providerv1.ExpireMandateRequest:
		return KindExpireMandate
	}
	return ""
}

// codeOf is the return code of an answer, or the best word for what came instead.
func codeOf(answered any) string {
	var failed *providerv1.OpError
	switch a := answered.(type) {
	case interface{ GetAnswer() *providerv1.Answer }:
		if result := a.GetAnswer().GetResult(); result != nil {
			if code := result.GetProviderCode(); code != "" {
				return code
			}
			return result.GetOutcome().String()
		}
		failed = a.GetAnswer().GetError()
	case *providerv1.SearchResponse:
		if findings := a.GetFindings(); findings != nil {
			return findings.GetFinding().String()
		}
		failed = a.GetError()
	case interface {
		GetMandate() *providerv1.Mandate
		GetError() *providerv1.OpError
	}:
		if m := a.GetMandate(); m != nil {
			return m.GetState().String()
		}
		failed = a.GetError()
	}
	if code := failed.GetProviderCode(); code != "" {
		return code
	}
	return failed.GetReason().String()
}
