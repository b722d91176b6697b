package configs

// Warnings are what is allowed and still worth a second look. A configuration with warnings is good.
func (c Config) Warnings() []Problem {
	var ps []Problem
	if c.Environment == Production && !c.Plugins.RequireReport {
		ps = append(ps, Problem{
			"plugins.require_report", "is false, and this is production: a provider that nobody has tested can be installed",
			"set it to true and name the keys of those who verify plugins in plugins.report_keys",
		})
	}
	if c.Environment == Production && len(c.Plugins.SigningKeys) == 0 {
		ps = append(ps, Problem{
			"plugins.signing_keys", "names no key, and this is production: no new release of a provider can be installed",
			"name the minisign public keys of those who release plugins (payrack plugin sign --new-key FILE makes a pair)",
		})
	}
	if c.Environment == Production && (!c.Plugins.Sandbox.Files || !c.Plugins.Sandbox.Network) {
		ps = append(ps, Problem{
			"plugins.sandbox", "is switched off in part, and this is production: a provider sees files or networks that it does not need",
			"set files and network to true; payrack plugin status shows what holds",
		})
	}
	if c.Environment == Production && !c.Plugins.Gates.Enabled {
		ps = append(ps, Problem{
			"plugins.gates.enabled", "is false, and this is production: a bad release keeps its payments until somebody takes them away",
			"set it to true; widen single limits where they are too narrow",
		})
	}
	if c.Environment == Production && c.Plugins.Exchanges.Keep == 0 {
		ps = append(ps, Problem{
			"plugins.exchanges.keep", "is 0, and this is production: a new release cannot be compared with the one that serves before it moves money",
			"keep a few hundred; they are redacted before they are written",
		})
	}
	return ps
}
