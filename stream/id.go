package stream

import (
	"errors"
	"strconv"
	"strings"
)

// ErrMalformedID says that a text is not an ID.
var ErrMalformedID = errors.New("malformed id")

// ID names an event of a site by the epoch in which it was stored and its sequence in the site's log. As a cursor it says that the client has
// the kept events up to it.
type ID struct {
	Epoch string // [a-z0-9]{1,16}
	Seq   uint64 // at most 19 decimal digits, which ParseID requires
}

// String returns EPOCH-SEQ, the form of an ID outside the process.
func (id ID) String() string { return id.Epoch + "-" + strconv.FormatUint(id.Seq, 10) }

// ParseID parses what String returns, and nothing else: String of the result is the text. The error is ErrMalformedID.
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
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789"
	return len(epoch) >= 1 && len(epoch) <= 16 && strings.Trim(epoch, allowed) == ""
}
