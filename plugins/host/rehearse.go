package host

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/payrack/payrack/plugins/internal/handshake"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// featureRehearsal is what a plugin says that can be rehearsed.
const featureRehearsal = "rehearsal/1"

// Rehearsal is a release that runs apart from all that serves and sends nothing: recorded calls are made again, and the
// recorded answers of the provider stand in for the network. Its process has no network where the sandbox of processes
// can take it away, and the SDK in it has none in any case.
type Rehearsal struct {
	host    *Host
	release Release
	dead    int
}

// Rehearse starts a release for rehearsals. Close it. The error is a *Refused; a release that was built with an SDK
// that cannot rehearse is CodeRehearsalUnsupported.
func (h *Host) Rehearse(ctx context.Context, r Release, settings []byte) (*Rehearsal, error) {
	o := h.options
	o.Rehearsal, o.Exchanges, o.Spans, o.Facts = true, nil, nil, nil
	o.Env = append(slices.Clone(o.Env), handshake.RehearsalKey+"="+handshake.RehearsalValue)
	o.Log = o.Log.With(slog.Bool("rehearsal", true))
	own, err := New(o)
	if err != nil {
		return nil, &Refused{Code: CodeStartCrashed, Message: "the rehearsal cannot be prepared: " + err.Error(), cause: err}
	}
	out := &Rehearsal{host: own, release: r}
	prepared, err := own.Slot(r.Name).Prepare(ctx, r, settings)
	if err == nil && !slices.Contains(prepared.Info.Features, featureRehearsal) {
		err = refuse(CodeRehearsalUnsupported, "release %s %s cannot be rehearsed: it was built without the feature %s; rebuild it with the current SDK",
			r.Name, r.Version, featureRehearsal)
	}
	if err != nil {
		out.Close() //nolint:contextcheck // nothing of a refused start is left, also if the order was given up
		return nil, err
	}
	return out, nil
}

// closePatience bounds the end of a rehearsal; nothing of worth is in its process.
const closePatience = 5 * time.Second

// Close ends the process. It may be called more than once.
func (r *Rehearsal) Close() {
	ctx, cancel := context.WithTimeout(r.host.life, closePatience)
	defer cancel()
	_ = r.host.Close(ctx)
}

// Played is what became of a recorded call.
type Played struct {
	// Recorded is how many requests the recording has, and Sent what would have left now.
	Recorded int
	Sent     []PlayedRequest
	// Reply is the plugin's answer to the host as JSON, without the native body; empty if the call failed in the plugin.
	Reply []byte
	// Native is what the client would be shown.
	Native []byte
	// Dials counts attempts to reach the network past the recording. They failed.
	Dials int
}

// PlayedRequest is a request that would have left, in clear.
type PlayedRequest struct {
	Method, Host, Path, Query string
	// Headers are the names, and Envelope the members of what a sealed body travels in. Both are sorted.
	Headers, Envelope []string
	Body              []byte
}

// playLimit bounds one call: what a plugin waits for is not there.
const playLimit = 10 * time.Second

// mostDeaths is how often a release may die before the rest of a rehearsal is not worth its time.
const mostDeaths = 3

// Play makes a recorded call again. Its error says why there is nothing to see: the recording cannot be read, or the
// plugin died or hung over it.
func (r *Rehearsal) Play(ctx context.Context, record []byte) (Played, error) {
	var e providerv1.Exchange
	if (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(record, &e) != nil || e.GetCall() == nil {
		return Played{}, errNoExchange
	}
	if r.dead >= mostDeaths {
		return Played{}, fmt.Errorf("the plugin gave no answer to %d calls before, and is not asked any more", r.dead)
	}
	ctx, cancel := context.WithTimeout(ctx, playLimit)
	defer cancel()
	lease, err := r.host.Slot(r.release.Name).AcquireRelease(ctx, strings.ToLower(r.release.SHA256))
	if err != nil {
		r.dead++
		return Played{}, err
	}
	defer lease.Close()
	answer, err := providerv1.NewExchangeServiceClient(lease.instance.conn).Rehearse(ctx, &providerv1.RehearseRequest{Exchange: &e})
	if err != nil {
		return Played{}, r.failed(err)
	}
	out := Played{Recorded: len(e.GetTraffic()), Dials: int(answer.GetDials())}
	for _, t := range answer.GetExchange().GetTraffic() {
		out.Sent = append(out.Sent, PlayedRequest{
			Method: t.GetMethod(), Host: t.GetHost(), Path: t.GetPath(), Query: t.GetQuery(),
			Headers: t.GetHeaderNames(), Envelope: t.GetEnvelope(), Body: t.GetBody(),
		})
	}
	reply := answer.GetExchange().GetReply()
	out.Native = takeNative(reply)
	if out.Reply, err = (protojson.MarshalOptions{UseProtoNames: true}).Marshal(reply); err != nil {
		return Played{}, fmt.Errorf("the plugin's answer cannot be read: %w", err)
	}
	return out, nil
}

// failed says why a call has no answer. The text of a status is not passed on: a plugin may have written it.
func (r *Rehearsal) failed(err error) error {
	switch code := status.Code(err); code { //nolint:exhaustive // all others are the plugin's fault
	case codes.InvalidArgument:
		return fmt.Errorf("the plugin does not know the recorded call")
	case codes.DeadlineExceeded, codes.Canceled:
		r.dead++
		return fmt.Errorf("the plugin gave no answer within %s", playLimit)
	case codes.Unavailable:
		r.dead++
		return fmt.Errorf("the plugin died over the call; its log says why")
	default:
		return fmt.Errorf("the plugin's call ended with gRPC status %s", code)
	}
}

// takeNative returns the native body and takes it out of the reply.
func takeNative(r *providerv1.ExchangeReply) []byte {
	var native *providerv1.Native
	switch reply := r.GetReply().(type) {
	case *providerv1.ExchangeReply_Answer:
		native, reply.Answer.Native = reply.Answer.GetNative(), nil
	case *providerv1.ExchangeReply_Search:
		native, reply.Search.Native = reply.Search.GetNative(), nil
	case *providerv1.ExchangeReply_CheckMandate:
		native, reply.CheckMandate.Native = reply.CheckMandate.GetNative(), nil
	case *providerv1.ExchangeReply_ExpireMandate:
		native, reply.ExpireMandate.Native = reply.ExpireMandate.GetNative(), nil
	}
	return native.GetBody()
}
