package stream

import (
	"slices"
	"sort"
)

// mark stands for one kept event.
type mark struct {
	seq uint64
	at  int64 // Unix milliseconds by the log's clock
}

// shelf lists the kept events of one site and kind, oldest first. It mirrors what the log's
// retention keeps, so that "is something missing?" needs no question to the log.
type shelf struct {
	marks []mark
}

func (s *shelf) len() int { return len(s.marks) }

// first returns the sequence of the oldest kept event; ok is false when none is.
func (s *shelf) first() (seq uint64, ok bool) {
	if len(s.marks) == 0 {
		return 0, false
	}
	return s.marks[0].seq, true
}

func (s *shelf) add(m mark) { s.marks = append(s.marks, m) }

// trim removes what is beyond the newest max or older than since, and returns the newest removed
// sequence, 0 if none.
func (s *shelf) trim(max int, since int64) (newest uint64) {
	n := 0
	for n < len(s.marks) && (len(s.marks)-n > max || s.marks[n].at < since) {
		newest = s.marks[n].seq
		n++
	}
	s.marks = s.marks[n:]
	if len(s.marks) == 0 {
		s.marks = nil // let the spent array go
	}
	return newest
}

// after returns the marks with a sequence above seq.
func (s *shelf) after(seq uint64) []mark {
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].seq > seq })
	return s.marks[i:]
}

// holds tells whether the event at seq is kept.
func (s *shelf) holds(seq uint64) bool {
	rest := s.after(seq - 1)
	return len(rest) > 0 && rest[0].seq == seq
}

// remove takes out the event at seq, if it is there.
func (s *shelf) remove(seq uint64) {
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].seq >= seq })
	if i < len(s.marks) && s.marks[i].seq == seq {
		s.marks = slices.Delete(s.marks, i, i+1)
	}
}
