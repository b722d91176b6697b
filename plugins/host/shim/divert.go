package shim

import "os"

// Its initialisation is the diversion, see the package documentation. It returns in every process but a shim.
var _ = divert(os.Args)

func divert(args []string) struct{} { //nolint:unparam // a variable wants a value
	if len(args) >= 3 && args[1] == Argument {
		os.Exit(become(args[2:]))
	}
	return struct{}{}
}
