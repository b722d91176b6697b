package conformance

import "slices"

// Check is one thing that the kit looks at. The list is data: it is printed by `payrack plugin verify
// --list` and in README.md.
type Check struct {
	// ID is stable: reports and waivers name it.
	ID string `json:"id"`
	// Group sorts the list for readers.
	Group string `json:"group"`
	// Title says what a plugin that passes does.
	Title string `json:"title"`
	// Proves says how it is found out.
	Proves string `json:"proves"`
	// Why says what happens to somebody's money, or to an operator, without it.
	Why string `json:"why"`

	// whole checks are about the plugin and not about a payment type.
	whole bool
	run   func(*trial)
}

// Checks lists all checks in the order in which they run.
func Checks() []Check { return checks() }

func checks() []Check {
	return slices.Concat(
		describeChecks(), settingsChecks(), truthChecks(), transportChecks(), referenceChecks(), searchChecks(),
		followChecks(), timeChecks(), moneyChecks(), tenantChecks(), contractChecks(), processChecks(), secretChecks(),
	)
}

func isCheck(id string) bool {
	return slices.ContainsFunc(checks(), func(c Check) bool { return c.ID == id })
}

// group sets the group of all.
func group(name string, list ...Check) []Check {
	for i := range list {
		list[i].Group = name
	}
	return list
}
