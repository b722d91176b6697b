//go:build linux

package shim

// Possible is possible.
func Possible(p *Policy, abi int) (files, network string) { return possible(p, abi) }

// Forbidden and Special are the numbers of system calls in the filter.
var (
	Forbidden = forbidden
	Special   = []uint32{sysSocket, sysSendto, sysSendmsg, sysClone, sysExecve, sysSendmmsg, sysExecveat, sysClone3, sysIoUringSetup}
)
