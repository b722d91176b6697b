package host

import "strconv"

// groupLimits is what is written into the control group of a process, if the controller is there.
type groupLimits struct {
	// memory in bytes, zero for none.
	memory int64
	tasks  int
}

// setting is one file of a control group.
type setting struct {
	controller, file, value string
	// needed is false for what older kernels do not have.
	needed bool
}

func (l groupLimits) settings() []setting {
	out := []setting{{"pids", "pids.max", strconv.Itoa(l.tasks), true}, {"cpu", "cpu.weight", "100", false}}
	if l.memory > 0 {
		out = append(out,
			setting{"memory", "memory.max", strconv.FormatInt(l.memory, 10), true},
			setting{"memory", "memory.swap.max", "0", false},
			setting{"memory", "memory.oom.group", "1", false})
	}
	return out
}
