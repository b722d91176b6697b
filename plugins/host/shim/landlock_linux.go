package shim

import (
	"syscall"
	"unsafe"
)

// The system calls of Landlock, the same on all architectures.
const (
	sysCreateRuleset = 444
	sysAddRule       = 445
	sysRestrictSelf  = 446
)

// Rights on files and folders, in the order in which the kernel learned them.
const (
	fsExecute = 1 << iota
	fsWriteFile
	fsReadFile
	fsReadDir
	fsRemoveDir
	fsRemoveFile
	fsMakeChar
	fsMakeDir
	fsMakeReg
	fsMakeSock
	fsMakeFifo
	fsMakeBlock
	fsMakeSym
	fsRefer       // ABI 2
	fsTruncate    // ABI 3
	fsIoctlDev    // ABI 5
	fsResolveUnix // ABI 9

	fsFirst = fsRefer - 1
	// fsOfFiles are the rights that a rule about a file, and not a folder, may hold.
	fsOfFiles = fsExecute | fsWriteFile | fsReadFile | fsTruncate | fsIoctlDev
	fsWork    = fsWriteFile | fsReadFile | fsReadDir | fsRemoveDir | fsRemoveFile | fsMakeDir | fsMakeReg | fsMakeSock |
		fsMakeFifo | fsMakeSym | fsRefer | fsTruncate
)

// Rights on the network and the scopes of a domain.
const (
	netBindTCP    = 1
	netConnectTCP = 2

	scopeAbstractSocket = 1
	scopeSignal         = 2
)

// Kinds of rules.
const (
	rulePath = 1
	rulePort = 2
)

type rulesetAttr struct{ files, network, scoped uint64 }

type pathRule struct {
	rights uint64
	parent int32
	_      int32 // the kernel's structure ends before it
}

type portRule struct{ rights, port uint64 }

// restrict puts the process under Landlock as far as the kernel has it, and says what holds. A text is the reason why
// the plugin may not be started.
func restrict(p *Policy, held map[string]string) (refused string) {
	abi := landlockABI()
	held[LandlockFiles], held[LandlockNetwork] = possible(p, abi)
	for _, name := range []string{LandlockFiles, LandlockNetwork} {
		if wanted := name == LandlockFiles && p.Files || name == LandlockNetwork && p.Network != NetworkOpen; p.Require && wanted && held[name] != On {
			return "plugins.sandbox.require is true and " + name + " is " + held[name]
		}
	}
	attr := rulesetAttr{files: handledFiles(p, abi), network: handledNetwork(p, abi)}
	if attr.files == 0 && attr.network == 0 {
		return ""
	}
	if abi >= 6 {
		attr.scoped = scopeAbstractSocket | scopeSignal
	}
	if refused := enforce(p, attr); refused != "" {
		return "the plugin cannot be confined: " + refused
	}
	return ""
}

// possible says what a kernel with that version of Landlock, zero for none, can enforce of the policy.
func possible(p *Policy, abi int) (files, network string) {
	files, network = On, On
	switch {
	case !p.Files:
		files = Off("plugins.sandbox.files is false")
	case abi < 1:
		files = Off("this kernel has no Landlock, which needs Linux 5.13 or newer with landlock among its security modules")
	}
	switch {
	case p.Network == NetworkOpen:
		network = Off("plugins.sandbox.network is false")
	case abi < 4:
		network = Off("this kernel's Landlock has no rules for the network, which need Linux 6.7 or newer")
	}
	return files, network
}

func landlockABI() int {
	const version = 1
	n, _, e := syscall.RawSyscall(sysCreateRuleset, 0, 0, version)
	if e != 0 {
		return 0
	}
	return int(n)
}

func handledFiles(p *Policy, abi int) uint64 {
	if !p.Files || abi < 1 {
		return 0
	}
	rights := uint64(fsFirst)
	for _, later := range []struct {
		abi   int
		right uint64
	}{{2, fsRefer}, {3, fsTruncate}, {5, fsIoctlDev}, {9, fsResolveUnix}} {
		if abi >= later.abi {
			rights |= later.right
		}
	}
	return rights
}

func handledNetwork(p *Policy, abi int) uint64 {
	if p.Network == NetworkOpen || abi < 4 {
		return 0
	}
	return netBindTCP | netConnectTCP
}

// enforce makes the rules and puts this thread under them.
func enforce(p *Policy, attr rulesetAttr) (refused string) {
	n, _, e := syscall.RawSyscall(sysCreateRuleset, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0) //nolint:gosec // a structure of the kernel's
	if e == syscall.EINVAL && attr.files&fsResolveUnix != 0 {
		// The newest right is the only one whose ABI could not be tried out.
		attr.files &^= fsResolveUnix
		n, _, e = syscall.RawSyscall(sysCreateRuleset, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0) //nolint:gosec // a structure of the kernel's
	}
	if e != 0 {
		return "create a ruleset: " + e.Error()
	}
	rules := ruleset{fd: int(n), attr: attr}
	defer func() { _ = syscall.Close(rules.fd) }()
	if attr.files != 0 {
		if refused := rules.files(p); refused != "" {
			return refused
		}
	}
	if attr.network != 0 && p.Network == NetworkPorts {
		for _, port := range p.Ports {
			rule := portRule{rights: netConnectTCP, port: uint64(port)}
			if e := rules.add(rulePort, unsafe.Pointer(&rule)); e != 0 { //nolint:gosec // a structure of the kernel's
				return "allow port " + number(int(port)) + ": " + e.Error()
			}
		}
	}
	if _, _, e := syscall.RawSyscall(sysRestrictSelf, uintptr(rules.fd), 0, 0); e != 0 {
		return "enforce the ruleset: " + e.Error()
	}
	return ""
}

type ruleset struct {
	fd   int
	attr rulesetAttr
}

func (r ruleset) add(kind uintptr, rule unsafe.Pointer) syscall.Errno {
	_, _, e := syscall.RawSyscall6(sysAddRule, uintptr(r.fd), kind, uintptr(rule), 0, 0, 0)
	return e
}

func (r ruleset) files(p *Policy) (refused string) {
	for _, path := range p.Read {
		_ = r.path(path, fsReadFile|fsReadDir, nil) // not every machine has each of them
	}
	for _, path := range p.Devices {
		_ = r.path(path, fsReadFile|fsWriteFile, nil)
	}
	for _, f := range p.Execute {
		if e := r.path(f.Path, fsReadFile|fsExecute, &f); e != 0 {
			return "allow " + f.Path + " to be executed: " + e.Error()
		}
	}
	for _, path := range p.Write {
		if e := r.path(path, fsWork, nil); e != 0 {
			return "allow the work folder " + path + ": " + e.Error()
		}
	}
	// A memory file belongs to no folder and takes no rule: the kernel lets it pass. Where the image is a file of a
	// file system it needs this.
	rule := pathRule{rights: (fsReadFile | fsExecute) & r.attr.files, parent: ImageFile}
	if e := r.add(rulePath, unsafe.Pointer(&rule)); e != 0 && e != syscall.EBADFD { //nolint:gosec // a structure of the kernel's
		return "allow the image to be executed: " + e.Error()
	}
	return ""
}

// path gives rights on what the path leads to now, links followed; a rule belongs to the file, not to its name.
func (r ruleset) path(path string, rights uint64, seen *File) syscall.Errno {
	const oPath = 0x200000
	fd, err := syscall.Open(path, oPath|syscall.O_CLOEXEC, 0)
	if err != nil {
		return errno(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	var is syscall.Stat_t
	if err := syscall.Fstat(fd, &is); err != nil {
		return errno(err)
	}
	if seen != nil && (is.Dev != seen.Device || is.Ino != seen.Inode) {
		return syscall.ESTALE
	}
	if is.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		rights &= fsOfFiles
	}
	rule := pathRule{rights: rights & r.attr.files, parent: int32(fd)} //nolint:gosec // descriptors are small
	return r.add(rulePath, unsafe.Pointer(&rule))                      //nolint:gosec // a structure of the kernel's
}
