// Package signup defines what a signup may contain: which fields, texts and addresses, and what replaces the missing ones.
//
// To check what a backend posted use [New]. To store the result use [Signup.Data].
package signup
