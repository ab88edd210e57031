package registry

// High returns the newest sequence of a site that was handed out.
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

// Sending says whether some subscription of a site was not sent all that was handed out.
func (r *Registry) Sending(name string) bool {
	t := r.site(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.queued
}
