package host

import (
	"testing"

	"github.com/payrack/payrack/plugins/host/shim"
)

// PolicyOf is what the shim of a process with these settings enforces.
func PolicyOf(t *testing.T, o Options, settings []byte, alone bool) shim.Policy {
	t.Helper()
	o = o.withDefaults()
	return confinement{options: &o, work: "/work", socket: "/socket", settings: settings, alone: alone}.policy(t.Context(), &image{})
}

// Lacks is lacks of a process that was started with the first settings.
func Lacks(running, settings []byte) string {
	p := &process{limited: true, ports: confinement{options: &Options{}, settings: running}.ports()}
	return p.lacks(settings)
}

// FindGroup is findGroup.
func FindGroup(memberships, mounts string) (path string, root bool, err error) {
	return findGroup(memberships, mounts)
}

// LimitGroup writes the limits of one process into a control group that has these controllers.
func LimitGroup(path string, controllers []string, memory int64) (heldMemory, heldTasks bool, why string) {
	g := &group{path: path}
	return g.limit(groupLimits{memory: memory, tasks: maxTasks}, delegation{base: path, controllers: controllers})
}

// ControlGroups reports that this process can make control groups for plugins.
func ControlGroups() bool { return delegated().base != "" }

// Starter returns what starts a binary with arguments and waits for its end. The image is loaded once.
func Starter(t testing.TB, h *Host, path string, args ...string) func() {
	t.Helper()
	img, err := loadImage(path, h.dir, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(img.release)
	work := t.TempDir()
	return func() {
		p, err := startProcess(t.Context(), command{
			image: img, name: "started", args: args, env: environment(nil, nil, work, "ERROR"), dir: work,
			confine: confinement{options: &h.options, work: work, alone: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		<-p.exited
		_, _ = p.stdout.Close(), p.stderr.Close()
		if p.state.ExitCode() != 0 {
			t.Fatal(p.ending())
		}
	}
}

// Replace is what the watch of an instance orders when what it was started with is out of date.
func Replace(s *Slot, l *Lease, why string) {
	s.line(l.instance.release.SHA256).replace(l.instance, why)
}

// Outdated is outdated of a process that was granted the file as it is now, after change.
func Outdated(t *testing.T, path string, change func()) string {
	t.Helper()
	f, err := identify(path)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{granted: []shim.File{f}}
	change()
	return p.outdated()
}
