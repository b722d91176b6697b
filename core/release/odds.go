package release

import "math"

// ratio is a share, a chance or a factor; never money.
type ratio = float64 //nolint:forbidigo // the rule is about money, and none is here

// happened is how often something happened: of n calls.
type happened struct{ times, of int64 }

func (h happened) rate() ratio {
	if h.of == 0 {
		return 0
	}
	return ratio(h.times) / ratio(h.of)
}

// belief is a Beta distribution: what rates are expected before anything was seen.
type belief struct{ a, b ratio }

// weight is the logarithm of the chance of having seen exactly this sequence, averaged over the belief.
func (b belief) weight(h happened) ratio {
	return logBeta(b.a+ratio(h.times), b.b+ratio(h.of-h.times)) - logBeta(b.a, b.b)
}

func logBeta(a, b ratio) ratio {
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}

// likelihood is the logarithm of the chance of having seen exactly this sequence at a rate.
func likelihood(h happened, rate ratio) ratio {
	sum := 0.0
	if h.times > 0 {
		sum += ratio(h.times) * math.Log(rate)
	}
	if rest := h.of - h.times; rest > 0 {
		sum += ratio(rest) * math.Log1p(-rate)
	}
	return sum
}

// against is the logarithm of the evidence that two rates differ: how much better two rates, spread over the beliefs, explain
// what was seen than the best single rate does. At that single rate, whatever it is, the chance that it ever exceeds ln(k) is
// at most 1/k, however often it is looked at (Ville's inequality; the numerator is a mixture and the denominator the largest
// likelihood, so the ratio stays below a martingale of mean 1). A test at a fixed number of calls has no such promise: asked
// after every call it would fire on noise.
func against(one, other happened, first, second belief) ratio {
	both := happened{one.times + other.times, one.of + other.of}
	if one.of == 0 || other.of == 0 {
		return 0
	}
	return first.weight(one) + second.weight(other) - likelihood(both, both.rate())
}

// above is the logarithm of the evidence that a rate exceeds a limit, with the same promise.
func above(h happened, limit ratio, b belief) ratio {
	if h.of == 0 {
		return 0
	}
	return b.weight(h) - likelihood(h, min(h.rate(), limit))
}
