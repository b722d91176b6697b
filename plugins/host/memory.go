package host

import (
	"bytes"
	"os"
	"strconv"
)

// memoryStep is by how much a process must have grown to be told again, in bytes.
const memoryStep = 1 << 20

// residentBytes is how much memory a process holds now; false where the system does not say.
func residentBytes(pid int) (size int64, ok bool) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(raw)
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0, false
	}
	return pages * int64(os.Getpagesize()), true
}

// sample looks at the memory of an instance and tells when it was never as large.
func (h *Host) sample(in *instance) {
	size, ok := residentBytes(in.process.pid)
	if !ok {
		return
	}
	if most := in.memory.Load(); most == 0 || size >= most+memoryStep {
		in.memory.Store(size)
		h.tell(in, FactMemory, "", size)
	}
}
