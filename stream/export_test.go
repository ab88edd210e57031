package stream

// InMemory returns how many frames of a site are in memory.
func (r *Registry) InMemory(name string) int {
	t := r.site(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.tail)
}

// BytesInMemory returns how many bytes of frames of a site are in memory.
func (r *Registry) BytesInMemory(name string) int {
	t := r.site(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tailBytes
}

// Feeding tells whether some subscription of a site was not sent all that was published.
func (r *Registry) Feeding(name string) bool {
	t := r.site(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.feeding
}
