package provider

import "context"

type templateKey struct{}

// WithTemplate names the request of the next Do for traces, such as "/v4/payments/{transactionId}/refund".
// Without it a trace shows the method and the host only: a path may hold an order number.
func WithTemplate(ctx context.Context, template string) context.Context {
	return context.WithValue(ctx, templateKey{}, template)
}

func templateOf(ctx context.Context) string {
	template, _ := ctx.Value(templateKey{}).(string)
	return template
}

func spanName(ctx context.Context, method string) string {
	if t := templateOf(ctx); t != "" {
		return method + " " + t
	}
	return method
}
