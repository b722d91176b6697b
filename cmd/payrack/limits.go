package main

import (
	"github.com/payrack/payrack/adapters/outbound/providers"
	"github.com/payrack/payrack/configs"
)

// pluginLimits are the times of plugins that the configuration lowers, by plugin name.
func pluginLimits(c configs.Config) (map[string]providers.Limits, error) {
	lowered, err := c.Plugins.Lowered()
	if err != nil {
		return nil, refusedf("plugins.limits %w", err)
	}
	all := make(map[string]providers.Limits, len(lowered))
	for name, l := range lowered {
		all[name] = providers.Limits{Limit: providers.Limit(l)}
	}
	return all, nil
}
