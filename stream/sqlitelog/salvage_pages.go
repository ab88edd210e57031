package sqlitelog

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"
)

// Sizes and numbers of the database file format (sqlite.org/fileformat2.html, sections 1.2 and 4.1).
const (
	// pageSize is the size of a page in bytes, SQLite's default.
	pageSize = 4096
	// walHeaderSize is the size of the header of the write-ahead log.
	walHeaderSize = 32
	// frameHeadSize is the size of the header of a frame of the write-ahead log.
	frameHeadSize = 24
	// walFormat is the version of the format of the write-ahead log.
	walFormat = 3007000
	// walMagicLittle starts a write-ahead log whose checksums are over little-endian words.
	walMagicLittle = 0x377f0682
	// walMagicBig starts a write-ahead log whose checksums are over big-endian words.
	walMagicBig = 0x377f0683
)

// image reads the pages of a database and its write-ahead log (WAL) without SQLite, which refuses damaged files. It reads one page at a time,
// so that an unreadable sector costs only its page.
type image struct {
	file, wal *io.SectionReader
	newest    map[uint32]int64 // page number to the offset in the WAL of its newest content
}

// openFiles opens the files of a database for newImage. Either may be missing. The caller calls done in any case.
func openFiles(path string) (file, wal *io.SectionReader, done func(), err error) {
	file, closeFile, err := openPart(path)
	wal, closeWAL, walErr := openPart(path + walSuffix)
	done = func() {
		closeFile()
		closeWAL()
	}
	return file, wal, done, errors.Join(err, walErr)
}

func openPart(path string) (*io.SectionReader, func() error, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nothingToRead(), f.Close, nil
	}
	if err != nil {
		return nil, f.Close, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	return io.NewSectionReader(f, 0, size), f.Close, err
}

func nothingToRead() *io.SectionReader { return io.NewSectionReader(nil, 0, 0) }

// newImage returns the pages of the file, replaced by the committed frames of the WAL, as SQLite sees them. With all, the frames after a
// damaged one and those without a commit replace pages, too. Either file may be empty.
func newImage(file, wal *io.SectionReader, all bool) *image {
	p := &image{file: file, wal: wal, newest: make(map[uint32]int64)}
	var open []frame // of a transaction whose commit was not read yet
	for f := range walFrames(wal) {
		if f.resumed && !all {
			break
		}
		open = append(open, f)
		if f.commit || all {
			for _, f := range open {
				p.newest[f.page] = f.offset
			}
			open = open[:0]
		}
	}
	return p
}

// numbers returns the numbers of all pages, in order, also of those that only the WAL has.
func (p *image) numbers() []uint32 {
	numbers := make([]uint32, (p.file.Size()+pageSize-1)/pageSize)
	for i := range numbers {
		numbers[i] = uint32(i + 1)
	}
	count := uint32(len(numbers))
	return append(numbers, slices.DeleteFunc(p.changed(), func(n uint32) bool { return n <= count })...)
}

// changed returns the numbers of the pages that the WAL has, in order.
func (p *image) changed() []uint32 { return slices.Sorted(maps.Keys(p.newest)) }

// read fills the buffer, of one page, with page n. What is missing or unreadable is zero.
func (p *image) read(n uint32, page []byte) {
	if offset, ok := p.newest[n]; ok {
		readPage(p.wal, offset, page)
		return
	}
	readPage(p.file, (int64(n)-1)*pageSize, page)
}

func readPage(from *io.SectionReader, offset int64, page []byte) {
	n, _ := from.ReadAt(page, offset)
	clear(page[n:])
}

// frame is one page in the WAL that fits its checksum.
type frame struct {
	page    uint32
	offset  int64 // of the page's content
	commit  bool  // the last of its transaction
	resumed bool  // it does not continue the frame before it, which is damaged
}

// walFrames yields the frames of the WAL's newest run, in order. SQLite stops at the first that does not fit the checksum
// of all before it; here, a frame that fits the checksum stored in the frame before is yielded too, as resumed. A
// foreign frame, of an earlier run in the same file, has another salt.
func walFrames(wal *io.SectionReader) iter.Seq[frame] {
	return func(yield func(frame) bool) {
		head, buf := make([]byte, walHeaderSize), make([]byte, frameHeadSize+pageSize)
		if _, err := wal.ReadAt(head, 0); err != nil {
			return
		}
		number := func(b []byte, i int) uint32 { return binary.BigEndian.Uint32(b[i:]) }
		order, seed := binary.ByteOrder(binary.LittleEndian), checksum{number(head, 24), number(head, 28)}
		if number(head, 0) == walMagicBig {
			order = binary.BigEndian
		}
		salt := [8]byte(head[16:24])
		resumed := (checksum{}).add(order, head[:24]) != seed || number(head, 0)&^1 != walMagicLittle ||
			number(head, 4) != walFormat || number(head, 8) != pageSize
		if resumed { // the header is damaged: its first frame knows the salt
			wal.ReadAt(salt[:], walHeaderSize+8)
		}
		for offset := int64(walHeaderSize); ; offset += int64(len(buf)) {
			if _, err := wal.ReadAt(buf, offset); err != nil {
				return
			}
			stored := checksum{number(buf, 16), number(buf, 20)}
			fits := seed.add(order, buf[:8]).add(order, buf[frameHeadSize:]) == stored
			seed = stored
			if !fits || [8]byte(buf[8:16]) != salt || number(buf, 0) == 0 {
				resumed = true
				continue
			}
			if !yield(frame{number(buf, 0), offset + frameHeadSize, number(buf, 4) != 0, resumed}) {
				return
			}
		}
	}
}

// checksum is the WAL's, cumulative over words of four bytes.
type checksum [2]uint32

func (c checksum) add(order binary.ByteOrder, data []byte) checksum {
	for ; len(data) >= 8; data = data[8:] {
		c[0] += order.Uint32(data) + c[1]
		c[1] += order.Uint32(data[4:]) + c[0]
	}
	return c
}
