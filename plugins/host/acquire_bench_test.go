package host_test

import (
	"testing"
)

// BenchmarkAcquire is what a payment pays for its reference, without a call.
func BenchmarkAcquire(b *testing.B) {
	h := newHost(b)
	activate(b, h, role{Version: "1.0.0"}, "")
	s := h.Slot(pluginName)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l, err := s.Acquire(b.Context())
			if err != nil {
				b.Error(err)
				return
			}
			l.Close()
		}
	})
}
