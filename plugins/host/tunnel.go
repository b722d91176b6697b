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
