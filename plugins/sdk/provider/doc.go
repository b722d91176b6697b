// Package provider is the SDK for payrack provider plugins: programs that speak to one payment service
// for the payrack platform.
//
// A plugin is one small binary. Its main is one call, its provider a type that says what it is and
// implements one method for each operation that it supports:
//
//	func main() { provider.Serve("acmepay", Open) }
//
//	type Settings struct {
//		Endpoint string `json:"endpoint"`
//	}
//
//	func Open(_ context.Context, s Settings, h provider.Host) (provider.Provider, error) {
//		return &acme{settings: s, http: h.HTTP}, nil
//	}
//
//	func (a *acme) Pay(ctx context.Context, r provider.PayRequest) provider.Answer {
//		body := fmt.Sprintf(`{"order":%q,"amount":%d,"code":%q}`, r.Reference.OrderID, r.Amount.Units, r.Code.Reveal())
//		req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.settings.Endpoint+"/pay", strings.NewReader(body))
//		if err != nil {
//			return provider.NotSent(provider.ReasonInternal, "", "the request cannot be built")
//		}
//		res, err := a.http.Do(provider.WithTemplate(ctx, "/pay"), r.Call, req)
//		var failed *provider.SendError
//		if errors.As(err, &failed) {
//			return failed.Answer() // not sent, or unknown
//		}
//		var answer struct {
//			Code string `json:"code"`
//			ID   string `json:"id"`
//		}
//		if failed := res.StatusError(); failed != nil {
//			return failed.Answer()
//		}
//		if json.Unmarshal(res.Body, &answer) != nil {
//			return provider.Unknown(provider.ReasonBadAnswer, "", "the answer is no JSON")
//		}
//		result := provider.Result{Code: answer.Code, Reference: provider.Reference{TransactionID: answer.ID}}
//		switch native := (provider.Native{Body: res.Body}); answer.Code {
//		case "OK":
//			return provider.Approved(result, native)
//		case "NO_FUNDS":
//			return provider.Declined(result, native)
//		default:
//			return provider.Undecided(result, native)
//		}
//	}
//
// The example of this package is a whole provider that runs.
//
// # What an answer means
//
// The platform acts on an answer without asking again, so an answer says how much is known:
//
//   - [Approved]: done as asked, and the answer was read in full.
//   - [Declined]: a definite no of the provider. No money moved and none will.
//   - [RequiresAction]: the payer must act; no money moved yet.
//   - [Undecided]: the provider answered, and the answer does not settle it: an internal error, a
//     duplicate order, a code that is not documented.
//   - [NotSent]: no byte left, or the provider proved that it did not take the request. Only after this
//     may the platform send again.
//   - [Unknown]: a byte left and nobody knows. The platform then asks with Search until it knows.
//
// A call that ends early or badly is a [Failure]: [NothingSent], [BadAnswer] and [FailureOf] make one, and its
// Answer method turns it into an Answer.
//
// When in doubt, say Unknown: it costs a search. A wrong Declined costs the payer's money, a wrong NotSent
// charges twice. A panic, a broken connection to the host and an answer that the host cannot read all mean
// Unknown. [Client] tells sent from not sent for every way in which a connection can fail; nothing that it
// sends is ever repeated.
//
// # Columns
//
// An operation's Columns and a type's Credential are JSON Schema 2020-12 objects: "type": "object",
// "properties", "required" in the order in which missing columns are named, and
// "additionalProperties": false. The platform checks requests by them before the plugin is called, builds
// its API documents and forms from them, and knows no provider by name. Members carry annotations:
//
//   - x-payrack-role: what the member is. In columns: amount, currency, order, request_id, code,
//     credential, time, mandate, transaction, capture, description. All but time are taken out of
//     Call.Columns and travel in typed fields: one number, one place. In a credential: account (who the
//     provider thinks we are, pinned on the payment) and wire (an option pinned on the payment, such as an
//     API version; it has a default). Money without a currency column has the type's only currency.
//   - x-payrack-alias: other accepted spellings. Two of them with different values are an error.
//   - x-payrack-trim: true: ASCII blanks and tabs around a text are cut off. Nothing else ever is.
//   - x-payrack-fingerprint: false: the member does not make a request a different one.
//   - x-payrack-secret: true: the value appears in no log, error, span or database.
//   - x-payrack-text: true: free text, with newlines and tabs. All other texts refuse control characters
//     and invisible ones.
//   - format: payrack-local-datetime (YYYY-MM-DD HH:mm:ss) and payrack-uuid.
//
// Members with the role credential are the request's own credential set: if one is there, all must be.
//
// # Secrets
//
// A credential travels with each call, in Call.Credential, and belongs to that call only. Decode it into
// a struct whose secret members are [Secret]: no verb of fmt, no log and no JSON shows them. What is
// derived from it may be cached by Call.CredentialRef; if that is empty, not at all.
//
// # Settings
//
// Endpoints and time limits look the same for most providers: [Endpoints], [EndpointRules], [Timeouts] and
// [Duration] read them and say in the operator's words what is wrong with them.
//
// # Memory
//
// Serve lets the heap grow to five times of what is in use (GOGC=400), because a plugin keeps next to nothing
// between calls. The host's Options.Env can set GOGC and GOMEMLIMIT, which win.
//
// # Rules for a provider
//
//   - Keep no state that another process could miss: two releases serve side by side during a swap.
//   - Call.NotAfter is the latest moment at which a byte of a money-moving request may leave. Client keeps it.
//   - Return when the context ends. The host waits for no call longer than its MaxDuration and a little.
//   - Write logs with Host.Log. What is printed on standard output goes to the log as well.
//   - Build with CGO_ENABLED=0: a release is one static file.
package provider
