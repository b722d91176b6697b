package shim

import (
	"syscall"
	"unsafe"
)

// One instruction of classic BPF.
type instruction struct {
	code uint16
	jt   uint8
	jf   uint8
	k    uint32
}

// What the filter is made of.
const (
	bpfLoad    = 0x20 // the word at k of what the kernel shows
	bpfEqual   = 0x15
	bpfAtLeast = 0x35 // jumps if greater or equal
	bpfAnyOf   = 0x45
	bpfReturn  = 0x06

	allow = 0x7fff0000
	deny  = 0x00050000 // with the error number

	seeNumber = 0
	seeArch   = 4
)

// argument is where the lower half of a system call's argument is seen; the upper one is behind it.
func argument(n int) uint32 { return uint32(16 + 8*n) } //nolint:gosec // there are six

// Protocols and families of sockets that a plugin may use where it may use the network.
const (
	familyUnix    = 1
	familyInet    = 2
	familyInet6   = 10
	familyNetlink = 16
	protocolAny   = 0
	protocolTCP   = 6
	protocolUDP   = 17

	// msgFastOpen connects while it sends, past the rules for connect.
	msgFastOpen = 0x20000000
	// newNamespace is all flags of clone that make a namespace.
	newNamespace = 0x7e020000
)

// System calls with one number on all architectures.
const (
	sysIoUringSetup = 425
	sysOpenTree     = 428
	sysMoveMount    = 429
	sysFsopen       = 430
	sysFsconfig     = 431
	sysFsmount      = 432
	sysFspick       = 433
	sysClone3       = 435
	sysPidfdGetfd   = 438
	sysMountSetattr = 442
)

// filterCalls forbids the system calls that no payment provider makes: those on other processes, namespaces, mounts,
// the clock and the kernel itself, sockets that Landlock does not see, and the execution of anything but the image now.
func filterCalls(p *Policy) syscall.Errno {
	if auditArch == 0 {
		return syscall.ENOSYS
	}
	f := filter(p)
	program := struct {
		length uint16
		code   *instruction
	}{uint16(len(f)), &f[0]} //nolint:gosec // some hundred instructions
	const modeFilter = 2
	return prctl(prSetSeccomp, modeFilter, uintptr(unsafe.Pointer(&program))) //nolint:gosec // a structure of the kernel's
}

// filter is the program. Each rule ends in a return or falls through to the next one; behind the first instructions the
// accumulator holds the number of the system call whenever a rule begins.
func filter(p *Policy) []instruction {
	f := []instruction{
		{bpfLoad, 0, 0, seeArch},
		{bpfEqual, 1, 0, auditArch},
		refuse(syscall.ENOSYS), // a call of another architecture has other numbers
		{bpfLoad, 0, 0, seeNumber},
	}
	if foreignFrom != 0 {
		f = append(f, instruction{bpfAtLeast, 0, 1, foreignFrom}, refuse(syscall.ENOSYS))
	}
	for _, number := range forbidden {
		f = append(f, instruction{bpfEqual, 0, 1, number}, refuse(syscall.EPERM))
	}
	// Programs have another way where these are missing, and their arguments cannot be seen.
	for _, number := range []uint32{sysClone3, sysIoUringSetup} {
		f = append(f, instruction{bpfEqual, 0, 1, number}, refuse(syscall.ENOSYS))
	}
	f = append(f, rule(sysClone,
		instruction{bpfLoad, 0, 0, argument(0)}, instruction{bpfAnyOf, 0, 1, newNamespace}, refuse(syscall.EPERM), pass())...)
	if len(p.Execute) == 0 {
		f = append(f, instruction{bpfEqual, 0, 1, sysExecve}, refuse(syscall.EACCES))
		f = append(f, rule(sysExecveat,
			instruction{bpfLoad, 0, 0, argument(5)}, instruction{bpfEqual, 0, 3, uint32(p.Cookie)}, //nolint:gosec // its lower half
			instruction{bpfLoad, 0, 0, argument(5) + 4}, instruction{bpfEqual, 0, 1, uint32(p.Cookie >> 32)}, pass(), refuse(syscall.EACCES))...)
	}
	if p.Network == NetworkOpen {
		return append(f, pass())
	}
	for _, send := range []struct {
		number uint32
		flags  int
	}{{sysSendto, 3}, {sysSendmsg, 2}, {sysSendmmsg, 3}} {
		f = append(f, rule(send.number,
			instruction{bpfLoad, 0, 0, argument(send.flags)}, instruction{bpfAnyOf, 0, 1, msgFastOpen}, refuse(syscall.EACCES), pass())...)
	}
	return append(append(f, rule(sysSocket, sockets(p.Network)...)...), pass())
}

// sockets decides about a socket by its family and protocol.
func sockets(n Network) []instruction {
	if n != NetworkPorts {
		return []instruction{{bpfLoad, 0, 0, argument(0)}, {bpfEqual, 0, 1, familyUnix}, pass(), refuse(syscall.EACCES)}
	}
	return []instruction{
		{bpfLoad, 0, 0, argument(0)},
		{bpfEqual, 0, 1, familyUnix},
		pass(),
		{bpfEqual, 3, 0, familyInet},
		{bpfEqual, 2, 0, familyInet6},
		{bpfEqual, 1, 0, familyNetlink}, // by it a program learns its own addresses
		refuse(syscall.EACCES),
		{bpfLoad, 0, 0, argument(2)},
		{bpfEqual, 2, 0, protocolAny},
		{bpfEqual, 1, 0, protocolTCP},
		{bpfEqual, 0, 1, protocolUDP},
		pass(),
		// What a dialer that would like MPTCP takes for "then plain TCP".
		refuse(syscall.EPROTONOSUPPORT),
	}
}

// rule runs the instructions, which must end in a return, for one system call.
func rule(number uint32, body ...instruction) []instruction {
	return append([]instruction{{bpfEqual, 0, uint8(len(body)), number}}, body...) //nolint:gosec // rules have at most a dozen
}

func pass() instruction { return instruction{bpfReturn, 0, 0, allow} }

func refuse(e syscall.Errno) instruction {
	return instruction{bpfReturn, 0, 0, deny | uint32(e)} //nolint:gosec // error numbers are small
}
