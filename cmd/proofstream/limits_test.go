package main

import "testing"

// What the streams and the runtime take together stays within the memory limit.
func TestStreamsFitIntoTheMemoryLimit(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct {
		name      string
		requested int
		limit     uint64
		secure    bool
		want      int
	}{
		{"96 MiB and 9,000 streams", 9000, 96 * mib, false, 6553},
		{"64 MiB and 6,000 streams", 6000, 64 * mib, false, 3276},
		{"fewer streams than fit", 500, 96 * mib, false, 500},
		{"HTTPS, which browsers use with HTTP/2", 9000, 96 * mib, true, 1024},
		{"less memory than the service takes", 9000, 16 * mib, false, 1},
		{"no limit in practice", 10_000_000, 1<<63 - 4096, false, 10_000_000},
	} {
		streams, heap := planMemory(tt.requested, tt.limit, tt.secure)
		if streams != tt.want {
			t.Errorf("%s: got %d streams, want %d", tt.name, streams, tt.want)
		}
		if heap <= 0 || uint64(heap)+uint64(streams)*kernelMemory > tt.limit/10*9 {
			t.Errorf("%s: the runtime may use %d bytes, and the kernel takes %d, of %d", tt.name, heap, streams*kernelMemory, tt.limit)
		}
	}
}
