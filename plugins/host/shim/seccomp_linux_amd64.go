package shim

const (
	auditArch = 0xc000003e
	// foreignFrom is the first number of the x32 interface, which looks like the same architecture.
	foreignFrom = 0x40000000

	sysSocket   = 41
	sysSendto   = 44
	sysSendmsg  = 46
	sysClone    = 56
	sysExecve   = 59
	sysSendmmsg = 307
	sysExecveat = 322
)

// forbidden are the system calls that are refused whatever their arguments are.
var forbidden = []uint32{
	101, // ptrace
	103, // syslog
	153, // vhangup
	155, // pivot_root
	159, // adjtimex
	161, // chroot
	163, // acct
	164, // settimeofday
	165, // mount
	166, // umount2
	167, // swapon
	168, // swapoff
	169, // reboot
	170, // sethostname
	171, // setdomainname
	172, // iopl
	173, // ioperm
	175, // init_module
	176, // delete_module
	179, // quotactl
	227, // clock_settime
	246, // kexec_load
	248, // add_key
	249, // request_key
	250, // keyctl
	272, // unshare
	298, // perf_event_open
	303, // name_to_handle_at
	304, // open_by_handle_at
	305, // clock_adjtime
	308, // setns
	310, // process_vm_readv
	311, // process_vm_writev
	312, // kcmp
	313, // finit_module
	320, // kexec_file_load
	321, // bpf
	323, // userfaultfd
	sysOpenTree, sysMoveMount, sysFsopen, sysFsconfig, sysFsmount, sysFspick, sysPidfdGetfd, sysMountSetattr,
}
