package shim

const (
	auditArch   = 0xc00000b7
	foreignFrom = 0

	sysSocket   = 198
	sysSendto   = 206
	sysSendmsg  = 211
	sysClone    = 220
	sysExecve   = 221
	sysSendmmsg = 269
	sysExecveat = 281
)

// forbidden are the system calls that are refused whatever their arguments are.
var forbidden = []uint32{
	39,  // umount2
	40,  // mount
	41,  // pivot_root
	51,  // chroot
	58,  // vhangup
	60,  // quotactl
	89,  // acct
	97,  // unshare
	104, // kexec_load
	105, // init_module
	106, // delete_module
	112, // clock_settime
	116, // syslog
	117, // ptrace
	142, // reboot
	161, // sethostname
	162, // setdomainname
	170, // settimeofday
	171, // adjtimex
	217, // add_key
	218, // request_key
	219, // keyctl
	224, // swapon
	225, // swapoff
	241, // perf_event_open
	264, // name_to_handle_at
	265, // open_by_handle_at
	266, // clock_adjtime
	268, // setns
	270, // process_vm_readv
	271, // process_vm_writev
	272, // kcmp
	273, // finit_module
	280, // bpf
	282, // userfaultfd
	294, // kexec_file_load
	sysOpenTree, sysMoveMount, sysFsopen, sysFsconfig, sysFsmount, sysFspick, sysPidfdGetfd, sysMountSetattr,
}
