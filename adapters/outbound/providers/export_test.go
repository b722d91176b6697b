package providers

import (
	"github.com/payrack/payrack/plugins/sdk/provider"
	"github.com/payrack/payrack/ports/outbound"
)

// AnswerToCore reads an answer that did not come through the host.
func AnswerToCore(a provider.Answer) outbound.Answer { return answerToCore(a) }

// FindingsToCore reads a search that did not come through the host.
func FindingsToCore(a provider.SearchAnswer) outbound.Findings { return findingsToCore(a) }

// MandateToCore reads an answer about a stored approval that did not come through the host.
func MandateToCore(a provider.MandateAnswer) outbound.MandateAnswer { return mandateToCore(a) }
