package host_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func TestCutCallsAnswersUnknownAndClosesAtOnce(t *testing.T) {
	t.Parallel()
	var logs logBuffer
	h := newHost(t, logging(&logs))
	a := activate(t, h, role{Version: "1.0.0"}, "")
	l := acquire(t, h)
	answers := make(chan provider.Answer, 1)
	go func() { answers <- l.Pay(withTime(t, 30*time.Second), payment("sleep:30s")) }()
	asleep(t, &logs)
	if cut := h.CutCalls(); cut != 1 {
		t.Errorf("%d calls were cut off, want 1", cut)
	}
	got := <-answers
	if got.Failure() == nil || got.Failure().Effect != provider.EffectPossible {
		t.Errorf("the open call: %+v", got)
	}
	// Whoever holds a lease still is told that nothing was sent.
	if after := l.Pay(withTime(t, 5*time.Second), payment("label")); after.Failure() == nil || after.Failure().Effect != provider.EffectNone {
		t.Errorf("a call after the cut: %+v", after)
	}
	l.Close()
	if err := h.Close(withTime(t, 20*time.Second)); err != nil {
		t.Errorf("close: %v", err)
	}
	if alive(a.PID) {
		t.Error("the process lives after Close")
	}
}

func TestDescribeNamesWhatIsWrongWithTheFile(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	whole, err := os.ReadFile(release(t, role{Version: "1.0.0"}).Path)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, content []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		path string
		code host.Code
		says string
	}{
		"missing":   {filepath.Join(t.TempDir(), "none"), host.CodeBinaryMissing, "there is no file /"},
		"a folder":  {t.TempDir(), host.CodeProtocolUnsupported, "regular file"},
		"truncated": {file("half", whole[:len(whole)/2]), host.CodeBinaryDamaged, "cut short or damaged: copy it again"},
		"a header":  {file("header", whole[:20]), host.CodeBinaryDamaged, "cut short or damaged"},
		"empty":     {file("empty", nil), host.CodeBinaryDamaged, "is empty"},
		"a script":  {file("script", []byte("#!/bin/sh\nexit 0\n")), host.CodeProtocolUnsupported, "no ELF executable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := h.Describe(t.Context(), c.path)
			refused, ok := errors.AsType[*host.Refused](err)
			if !ok || refused.Code != c.code || !strings.Contains(refused.Message, c.says) {
				t.Errorf("%v, want %s with %q", err, c.code, c.says)
			}
		})
	}
}
