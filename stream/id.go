package stream

import (
	"errors"
	"strconv"
	"strings"
)

// ErrMalformedID says that a text is no ID.
var ErrMalformedID = errors.New("malformed id")

// ID names an event of a site: the epoch in which it was stored, and its sequence in the site's log. It
// also serves as a cursor: "the client has the kept events up to here".
type ID struct {
	Epoch string // [a-z0-9]{1,16}
	Seq   uint64 // at most 19 decimal digits
}

// String returns EPOCH-SEQ, the form in which an ID travels.
func (id ID) String() string { return id.Epoch + "-" + strconv.FormatUint(id.Seq, 10) }

// ParseID reads the form that String writes, and only that: an ID comes back byte for byte or
// not at all. The error is ErrMalformedID.
func ParseID(text string) (ID, error) {
	epoch, digits, ok := strings.Cut(text, "-")
	if !ok || !validEpoch(epoch) || len(digits) > 19 {
		return ID{}, ErrMalformedID
	}
	seq, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || strconv.FormatUint(seq, 10) != digits {
		return ID{}, ErrMalformedID
	}
	return ID{Epoch: epoch, Seq: seq}, nil
}

func validEpoch(epoch string) bool {
	if len(epoch) < 1 || len(epoch) > 16 {
		return false
	}
	for _, c := range []byte(epoch) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
