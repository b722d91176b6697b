package httpkit

// Size is the number of keys that are remembered.
func Size(b *Buckets) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.buckets)
}
