package form_test

import "testing"

func BenchmarkRead(b *testing.B) {
	till := columns(b, "till_pay")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := till.Read([]byte(tillPay)); err != nil {
			b.Fatal(err)
		}
	}
}
