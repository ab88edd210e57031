// Package registry holds the open subscriptions of each site, and hands each event of a site's log to all of them.
//
// To store or withdraw a signup use [Registry.Publish] and [Registry.Retract]. To subscribe use
// [Registry.Join], then call [Subscription.Next] until it returns an error, then
// [Subscription.Close]. An owner that needs no goroutine while nothing waits calls [Subscription.WakeBy] and [Subscription.Poll] instead.
// [Registry.Run] owns every goroutine of the package, except those that wake such owners.
//
// Reading order: registry.go, site.go, use.go and load.go (which sites are in memory), follow.go (from the log into memory), fanout.go
// (from memory into channels), join.go, subscription.go, wake.go and catchup.go (from channels to the connections' writers).
//
// # Watermarks
//
// All are sequences of one site's log. "Guarded" means by site.mu.
//
//	name                meaning                                             written by
//	stream.Bounds.Low   retention has removed every event below it          the log
//	stream.Bounds.High  newest sequence of the log                          the log
//	site.acked          newest sequence acknowledged to a post of this      Publish, Retract; atomic
//	                    process
//	site.high           newest sequence delivered to fan-out                the site's follower; guarded
//	site.highAtLastWatch
//	                    Bounds.High at the last watch                       watch; guarded
//	buffer.from         the replay buffer has all kept events after it      the site's follower; guarded
//	site.round          site.high when the fan-out round began              fan-out; guarded
//	Subscription.sent   newest sequence put into its channel, or of which   fan-out, enter, admit; guarded
//	                    it needs no frame
//	Subscription.cursor newest sequence returned, or in its backlog         its owner, in Next or Poll
//
// At any moment buffer.from <= site.high <= Bounds.High and site.acked <= Bounds.High. A live subscription has cursor <= sent. A lagging
// one does not use sent. A cursor at or above buffer.from is served from memory, any other from the log, whose low watermark shows whether
// something is missing.
package registry
