package shim_test

import "golang.org/x/sys/unix"

var ofThisArchitecture = []uint32{unix.SYS_IOPL, unix.SYS_IOPERM}
