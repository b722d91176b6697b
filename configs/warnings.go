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
	return ps
}
