package providers

import (
	"time"

	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
	"github.com/payrack/payrack/ports/outbound"
)

// AnswerToCore reads an answer that did not come through the host.
func AnswerToCore(a provider.Answer) outbound.Answer { return answerToCore(a) }

// FindingsToCore reads a search that did not come through the host.
func FindingsToCore(a provider.SearchAnswer) outbound.Findings { return findingsToCore(a) }

// MandateToCore reads an answer about a stored approval that did not come through the host.
func MandateToCore(a provider.MandateAnswer) outbound.MandateAnswer { return mandateToCore(a) }

// BreakerUnderTest is a breaker.
type BreakerUnderTest struct{ b breaker }

// NewBreaker makes a closed one.
func NewBreaker() *BreakerUnderTest { return &BreakerUnderTest{} }

// Allow is allow.
func (t *BreakerUnderTest) Allow(now time.Time) (bool, time.Duration) { return t.b.allow(now) }

// Ended is ended.
func (t *BreakerUnderTest) Ended(now time.Time, failed bool) (opened, closed bool) {
	return t.b.ended(now, failed)
}

// Answered is answered.
func (t *BreakerUnderTest) Answered(now time.Time) bool { return t.b.answered(now) }

// State is status.
func (t *BreakerUnderTest) State(now time.Time) string { return string(t.b.status(now)) }

// Technical is technical.
func Technical(r provider.Reason, code string) bool { return technical(r, code) }

// FactToCore is factToCore.
func FactToCore(f host.Fact) release.Fact { return factToCore(f) }
