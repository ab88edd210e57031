package stream

// Reason says why a position could not be continued from.
type Reason string

const (
	Expired   Reason = "expired"   // something of the site that was missed is no longer kept
	Foreign   Reason = "epoch"     // not a position of this log as it is now
	Ahead     Reason = "ahead"     // beyond the newest event
	Malformed Reason = "malformed" // no ID at all
)
