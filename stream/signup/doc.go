// Package signup defines what a signup may contain: which fields, texts and addresses, and what replaces the missing ones.
//
// To check what a backend posted use [New], and [Fields.Notes] for what looks wrong in it. To keep only a part of the name use [Signup.Keep].
// To store the result use [Signup.Data].
//
// Reading order: signup.go (fields and defaults), text.go, address.go, image.go, names.go and given.go (how much of a name is kept), notes.go,
// json.go.
package signup
