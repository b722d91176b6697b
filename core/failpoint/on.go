//go:build failpoint

package failpoint

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// variable holds NAME or NAME:N: the process dies the N-th time that it passes the point.
const variable = "PAYRACK_FAILPOINT"

// commitTime is how long a commit takes at most, roughly. During dies at a random moment of it.
const commitTime = 4 * time.Millisecond

var (
	armed, countdown = read(taken(variable))
	passed           atomic.Int64
)

// taken takes a variable out of the environment: the configuration refuses keys that it does not know.
func taken(name string) string {
	defer func() { _ = os.Unsetenv(name) }()
	return os.Getenv(name)
}

func read(text string) (name string, n int64) {
	name, times, found := strings.Cut(text, ":")
	if !found {
		return name, 1
	}
	n, err := strconv.ParseInt(times, 10, 64)
	if err != nil || n < 1 {
		panic(variable + " is NAME or NAME:N, not " + text)
	}
	return name, n
}

// Hit kills this process at once, as kill -9 does, if the point is armed and its turn has come.
func Hit(name string) {
	if name == armed && passed.Add(1) == countdown {
		die()
	}
}

// During kills this process a moment later, while what follows is at work.
func During(name string) {
	if name == armed && passed.Add(1) == countdown {
		go func() {
			time.Sleep(rand.N(commitTime))
			die()
		}()
	}
}

// die never returns: no deferred function runs and nothing is flushed.
func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
