package adminapi

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/release"
	"github.com/payrack/payrack/ports/inbound"
)

type pluginsReply struct {
	Plugins []pluginReply `json:"plugins"`
}

type pluginReply struct {
	Name      string          `json:"name"`
	Channel   channelReply    `json:"channel"`
	Releases  []releaseReply  `json:"releases"`
	Instances []instanceReply `json:"instances"`
	Types     []string        `json:"types"`
	Runtime   *runtimeReply   `json:"runtime,omitempty"`
	Replicas  []replicaReply  `json:"replicas"`
}

type runtimeReply struct {
	Phase  string `json:"phase"`
	Detail string `json:"detail,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

type channelReply struct {
	Stable     string     `json:"stable"`
	Candidate  string     `json:"candidate"`
	Previous   string     `json:"previous"`
	Weight     int        `json:"weight"`
	Stores     []string   `json:"stores"`
	Phase      string     `json:"phase"`
	Goal       string     `json:"goal,omitempty"`
	Generation int64      `json:"generation"`
	Until      *time.Time `json:"until"`
	Enabled    bool       `json:"enabled"`
	Reason     string     `json:"reason"`
	UpdatedAt  *time.Time `json:"updated_at"`
	UpdatedBy  string     `json:"updated_by"`
}

type instanceReply struct {
	ID          string            `json:"id"`
	Version     string            `json:"version"`
	SHA256      string            `json:"sha256"`
	PID         int               `json:"pid"`
	State       string            `json:"state"`
	Inflight    int               `json:"inflight"`
	StartedAt   time.Time         `json:"started_at"`
	Protections map[string]string `json:"protections"`
}

type replicaReply struct {
	Replica    string            `json:"replica"`
	Alive      bool              `json:"alive"`
	Generation int64             `json:"generation"`
	Ready      []string          `json:"ready"`
	Refused    map[string]string `json:"refused"`
	SeenAt     *time.Time        `json:"seen_at"`
	Tallies    []tallyReply      `json:"tallies"`
}

// tallyReply is what a release did on a replica since the channel's releases last changed.
type tallyReply struct {
	Version   string `json:"version"`
	Calls     int64  `json:"calls"`
	Declined  int64  `json:"declined"`
	Technical int64  `json:"technical"`
	Unknown   int64  `json:"unknown"`
	Breaches  int64  `json:"breaches"`
	Checked   int64  `json:"checked"`
	Crashes   int64  `json:"crashes"`
	RSS       int64  `json:"rss_bytes"`
}

// plugins answers GET /admin/v1/plugins.
func (a *api) plugins(c echo.Context, _ access.Principal) error {
	all, err := a.Channels.Status(c.Request().Context())
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	reply := pluginsReply{Plugins: make([]pluginReply, 0, len(all))}
	for _, s := range all {
		one := pluginOf(s)
		if a.Runtime != nil {
			r := a.Runtime(s.Name)
			one.Runtime = &runtimeReply{r.Phase, r.Detail, r.Remedy}
		}
		reply.Plugins = append(reply.Plugins, one)
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, reply)
	return nil
}

func pluginOf(s inbound.PluginStatus) pluginReply {
	p := pluginReply{
		Name: s.Name, Channel: channelOf(s.Channel),
		Releases:  make([]releaseReply, 0, len(s.Releases)),
		Instances: make([]instanceReply, 0, len(s.Instances)),
		Types:     append(make([]string, 0, len(s.Types)), s.Types...),
		Replicas:  make([]replicaReply, 0, len(s.Replicas)),
	}
	for _, r := range s.Releases {
		p.Releases = append(p.Releases, releaseOf(r))
	}
	for _, i := range s.Instances {
		p.Instances = append(p.Instances, instanceReply{
			ID: i.ID, Version: i.Version, SHA256: i.SHA256, PID: i.PID, State: i.State, Inflight: i.Inflight,
			StartedAt: i.StartedAt.UTC(), Protections: present(i.Protections),
		})
	}
	for _, r := range s.Replicas {
		p.Replicas = append(p.Replicas, replicaOf(r))
	}
	return p
}

func channelOf(c release.Channel) channelReply {
	return channelReply{
		Stable: c.Stable, Candidate: c.Candidate, Previous: c.Previous, Weight: c.Weight, Stores: append([]string{}, c.Stores...),
		Phase: phaseOf(c), Goal: string(c.Goal), Generation: c.Generation, Until: moment(c.Until), Enabled: c.Enabled,
		Reason: c.Reason, UpdatedAt: moment(c.UpdatedAt), UpdatedBy: c.UpdatedBy,
	}
}

// phaseOf is the phase in one word: a provider that takes no new payments is disabled, whatever its channel does.
func phaseOf(c release.Channel) string {
	switch {
	case !c.Enabled:
		return "disabled"
	case c.Phase == "":
		return string(release.Idle)
	default:
		return string(c.Phase)
	}
}

func replicaOf(r release.Report) replicaReply {
	reply := replicaReply{
		Replica: r.Replica, Alive: r.Alive, Generation: r.Generation, Ready: append([]string{}, r.Ready...),
		Refused: present(r.Refused), SeenAt: moment(r.SeenAt), Tallies: make([]tallyReply, 0, len(r.Tallies)),
	}
	for _, t := range r.Tallies {
		reply.Tallies = append(reply.Tallies, tallyReply{
			Version: t.Version, Calls: t.Calls, Declined: t.Declined, Technical: t.Technical, Unknown: t.Unknown,
			Breaches: t.Breaches, Checked: t.Checked, Crashes: t.Crashes, RSS: t.RSS,
		})
	}
	return reply
}

// present is a map that is never null in a reply.
func present(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
