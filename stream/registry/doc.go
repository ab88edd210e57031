// Package registry knows every open subscription, by site, and hands each event of a site's log to all of
// them.
//
// To store or withdraw a signup use [Registry.Publish] and [Registry.Retract]. To subscribe use
// [Registry.Join], then call [Subscription.Next] until it returns an error, then
// [Subscription.Close]. [Registry.Run] owns every goroutine of the package.
//
// Reading order: registry.go, site.go, follow.go (from the log into memory), fanout.go (from memory into
// channels), join.go, subscription.go, catchup.go (from channels to whoever writes them).
//
// # Watermarks
//
// All are sequences of one site's log. "Guarded" means by site.mu.
//
//	name               meaning                                              written by
//	stream.Bounds.Low  retention has removed every event below it           the log
//	stream.Bounds.High newest sequence of the log                           the log
//	site.acked         newest sequence acknowledged to a post of this       Publish, Retract; atomic
//	                   process
//	site.high          newest sequence handed to fan-out                    the site's follower; guarded
//	buffer.from        the replay buffer has all kept events after it       the site's follower; guarded
//	site.round         site.high when the fan-out round began               fan-out; guarded
//	Subscription.sent  newest sequence put into its channel, or passed over fan-out, enter, admit; guarded
//	Subscription.pos   newest sequence returned by Next, or in its backlog  its owner, inside Next
//
// In any moment buffer.from <= site.high <= Bounds.High and site.acked <= Bounds.High. A live
// subscription has pos <= sent; a lagging one has no use for sent. A cursor at or above buffer.from is served
// from memory, any other from the log, where Bounds.Low tells whether something is missing.
package registry
