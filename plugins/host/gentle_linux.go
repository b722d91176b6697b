package host

import (
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// startNice is how much lower the priority of a process is while it is started beside one that serves: the start of a Go
// program takes its share of the processor, which payments would otherwise wait for. It is no more, so that the start
// ends on a machine without an idle moment, too: a tenth of what a serving process gets is left for it.
const startNice = 10

// ownNice is the priority of this process, and so of its children, and whether one that was lowered may be raised to it again:
// most users may not do that without CAP_SYS_NICE or a limit (LimitNICE= of systemd), and then no start is slowed down, because
// the process would stay slow for good. It is tried once, by a thread that ends with the trial.
var ownNice = sync.OnceValues(func() (nice int, may bool) {
	tried := make(chan struct{})
	go func() {
		defer close(tried)
		runtime.LockOSThread() // and never unlocked: the thread goes with its priority
		raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
		if err != nil {
			return
		}
		nice = 20 - raw // the system call's own way to say it, see getpriority(2)
		may = unix.Setpriority(unix.PRIO_PROCESS, 0, min(nice+1, 19)) == nil && unix.Setpriority(unix.PRIO_PROCESS, 0, nice) == nil
	}()
	<-tried
	return nice, may
})

// ease lowers the priority of the process and of everything in its group until hurry.
func (p *process) ease() {
	if nice, may := ownNice(); may {
		p.eased = unix.Setpriority(unix.PRIO_PGRP, p.pid, min(nice+startNice, 19)) == nil
	}
}

// hurry gives an eased process its normal priority.
func (p *process) hurry() *Refused {
	if !p.eased || p.gone() {
		return nil
	}
	nice, _ := ownNice()
	if err := unix.Setpriority(unix.PRIO_PGRP, p.pid, nice); err != nil {
		return refuse(CodeStartCrashed, "the plugin cannot be given its normal priority again: %v", err)
	}
	return nil
}
