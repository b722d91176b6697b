// Package provider is the SDK for payrack provider plugins: programs that speak to one payment service
// for the payrack platform.
//
// A plugin is one small binary. Its main is one call, its provider a type that says what it is and
// implements one method for each operation that it supports:
//
//	func main() { provider.Serve("acmepay", Open) }
//
//	type credential struct {
//		Shop   string          `json:"shop" payrack:"required,role=account"`
//		Secret provider.Secret `json:"secret" payrack:"required"`
//	}
//
//	type payColumns struct {
//		Order  string          `json:"order" payrack:"required,role=order"`
//		Amount int64           `json:"amount" payrack:"required,role=amount" min:"1"`
//		Code   provider.Secret `json:"code" payrack:"required,role=code"`
//	}
//
//	var codes = provider.Codes{"OK": provider.Paid(), "NO_FUNDS": provider.Refused("insufficient_funds")}
//
//	func Open(_ context.Context, s provider.GatewaySettings, h provider.Host) (provider.Provider, error) {
//		return &acme{provider.JSONGateway{Endpoints: s.Endpoints, HTTP: h.HTTP, Sign: sign}}, nil
//	}
//
//	func sign(call provider.Call, u provider.Unsigned) (http.Header, error) {
//		c, err := provider.CredentialOf[credential](call)
//		return http.Header{"X-Shop": {c.Shop}, "X-Mac": {hex.EncodeToString(seal.MAC(c.Secret.Reveal(), string(u.Body)))}}, err
//	}
//
//	func (a *acme) Pay(ctx context.Context, r provider.PayRequest) provider.Answer {
//		var answer struct {
//			Code string          `json:"code"`
//			ID   provider.Number `json:"id"`
//		}
//		native, failure := a.gateway.Ask(ctx, r.Call, provider.JSONRequest{
//			Method: http.MethodPost, Path: "/pay", Answer: &answer,
//			Message: map[string]any{"order": r.Reference.OrderID, "amount": r.Amount.Units, "code": r.Code.Reveal()},
//		})
//		if failure != nil {
//			return failure.Answer() // not sent, or unknown
//		}
//		result := provider.Result{Code: answer.Code, Reference: provider.Reference{TransactionID: string(answer.ID)}}
//		return codes.Answer(result, native) // paid, declined, or not settled
//	}
//
// `payrack plugin new` writes a whole project of this kind, plugins/examples/linelike is a provider in 120 lines, and
// the example of this package is one that runs.
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
// charges twice. A request may arrive twice, and the answer to the second is the one that comes back: a code
// that the operation itself brings about ("already captured", "more than remains") is Undecided. A panic, a broken connection to the host and an answer that the host cannot read all mean
// Unknown. [Client] tells sent from not sent for every way in which a connection can fail; nothing that it
// sends is ever repeated.
//
// # What the SDK has for gateways
//
//   - [Client] sends one request and knows whether a byte left; [Client.Exchange] and [JSONGateway] are shorter ways to
//     use it, the second for gateways that speak JSON. [ReadJSON] refuses answers that can be understood in two ways.
//   - [Codes] turns return codes into outcomes. What is not in the table is undecided.
//   - [Money.Decimal], [ParseMoney] and [Number] write and read amounts and ids of 19 digits without a float.
//   - [CredentialOf] decodes the credential set of a call and refuses one that is incomplete or of another account.
//   - Package seal has HMAC-SHA256, AES-CBC and RSA-SHA256; package notation has amounts in hundredths and local times.
//
// # Columns
//
// [Schema] writes them from a struct. An operation's Columns and a type's Credential are JSON Schema 2020-12 objects: "type": "object",
// "properties", "required" in the order in which missing columns are named, and
// "additionalProperties": false. The platform checks requests by them before the plugin is called, builds
// its API documents and forms from them, and knows no provider by name. Members carry annotations:
//
//   - x-payrack-role: what the member is. In columns: amount, currency, order, request_id, code,
//     credential, time, mandate, mandate_id (the platform's id of a stored approval), transaction, capture,
//     description, return_url, cancel_url; a role may stand on a member of a nested object. All but time are taken
//     out of Call.Columns and travel in typed fields: one number, one place. In a credential: account (who the
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
// # Recordings
//
// While the host listens, the SDK records a small sample of the calls: the request, what passed between the plugin and
// its gateway, and the answer. `payrack plugin diff` replays them with another release, without the network and with
// dummy keys, before that release may move money. What goes through [Client] is recorded by itself. A gateway that
// seals its messages needs three words more, else there is nothing to see:
//
//   - Request.Clear, or [WithClear] with Do, says what the body was before it was sealed.
//   - [Response.Open] is around the unsealing of an answer, and [Response.Verify] around the check of its signature: in a
//     rehearsal no key fits, and the recorded clear text and verdict are given back instead.
//
// Secrets do not leave the process: a value that the contract or a schema marks as secret is replaced by a dummy of its
// shape, wherever it turns up. Of an answer, what is not known to be harmless is a dummy as well; an answer with personal
// data should be marked as Sensitive all the same, then even single words are.
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
