package registry

import (
	"slices"
	"sort"

	"proofstream/stream"
)

// buffer is a site's replay buffer: the newest frames of both kinds, by rising sequence.
type buffer struct {
	from   uint64 // the buffer has a frame of every event after it, except erased ones
	frames []*stream.Frame
	bytes  int // of all frames
}

// reset empties the buffer; the next frame follows from.
func (b *buffer) reset(from uint64) { *b = buffer{from: from} }

func (b *buffer) add(f *stream.Frame) {
	b.frames = append(b.frames, f)
	b.bytes += len(f.Bytes())
}

// index returns the index of the first frame after seq.
func (b *buffer) index(seq uint64) int {
	return sort.Search(len(b.frames), func(i int) bool { return b.frames[i].Seq() > seq })
}

// after returns the frames after seq, which is not below from.
func (b *buffer) after(seq uint64) []*stream.Frame { return b.frames[b.index(seq):] }

// remove removes the frame of an erased event, so that no further subscriber gets it.
func (b *buffer) remove(seq uint64) {
	i := b.index(seq - 1)
	if i < len(b.frames) && b.frames[i].Seq() == seq {
		b.bytes -= len(b.frames[i].Bytes())
		b.frames = slices.Delete(b.frames, i, i+1)
	}
}

// trim removes the oldest frames until at most a number of frames, and of bytes, is left.
func (b *buffer) trim(frames, bytes int) {
	for len(b.frames) > 0 && (len(b.frames) > frames || b.bytes > bytes) {
		b.from = b.frames[0].Seq()
		b.bytes -= len(b.frames[0].Bytes())
		b.frames[0] = nil
		b.frames = b.frames[1:]
	}
}
