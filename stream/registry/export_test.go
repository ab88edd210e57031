package registry

// High returns the newest sequence of a site that was delivered to fan-out.
func (r *Registry) High(name string) uint64 {
	t := r.site(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.high
}

// InMemory returns how many frames of a site are in memory, and their bytes.
func (r *Registry) InMemory(name string) (frames, bytes int) {
	t := r.site(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.buffer.frames), t.buffer.bytes
}

// Sending reports whether a live subscription of a site has not been sent everything that was delivered.
func (r *Registry) Sending(name string) bool {
	t := r.site(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.queued
}
