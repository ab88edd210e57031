// Package hook reads webhooks of other services: a signed delivery whose body the receiver cannot shape becomes a signup, or withdraws one.
//
// To check a configuration use [New]. For each delivery call [Hook.IsPing], then [Hook.Verify] and then [Hook.Read]. Only what Verify accepts
// may be read: everything else comes from anyone.
package hook
