package host

import (
	"context"
	"log/slog"
	"slices"

	"github.com/payrack/payrack/plugins/internal/tunnel"
	"github.com/payrack/payrack/plugins/internal/wire/providerv1"
)

// openTunnel takes the fast path to a plugin that has it: from here on its calls are frames of one stream. Nothing
// above notices, and a plugin without it is called as before.
func (s *Slot) openTunnel(ctx context.Context, in *instance) error {
	if s.host.options.NoTunnel || !slices.Contains(in.info.Features, tunnel.Feature) {
		return nil
	}
	t, err := tunnel.Open(ctx, in.conn)
	if err != nil {
		return &Refused{
			Code: CodeProtocolUnsupported, cause: err,
			Message: "the plugin says that it has the feature " + tunnel.Feature + ", and it does not serve it: " + oneLine(err),
		}
	}
	in.tunnel.Store(t)
	in.client = providerv1.NewProviderServiceClient(t)
	go in.awaitTunnel(t)
	return nil
}

// overruns tells of calls that the plugin goes on with although their time is over. Only a tunnel shows that: of a plain call
// nothing is heard any more.
func (h *Host) overruns(in *instance) {
	t := in.tunnel.Load()
	if t == nil {
		return
	}
	if n := t.Overdue(h.options.DrainExtra); n > 0 {
		in.log.LogAttrs(in.life, slog.LevelWarn, "plugin goes on with calls whose time is over", slog.Int("calls", n))
		h.tell(in, FactOverran, "", int64(n))
	}
}

// awaitTunnel takes an instance out of service when its tunnel ends. A tunnel that ends without its process, because
// the plugin broke the protocol, would never come back: the process is killed, and its slot starts another one.
func (i *instance) awaitTunnel(t *tunnel.Client) {
	<-t.Ended()
	i.lost.Store(true)
	if i.planned.Load() || await(i.process.exited, pipeGrace) || i.planned.Load() {
		return
	}
	i.log.LogAttrs(i.life, slog.LevelError, "plugin ended its tunnel and is killed",
		slog.Int("pid", i.process.pid), slog.Any("error", t.Err()))
	i.process.kill()
}
