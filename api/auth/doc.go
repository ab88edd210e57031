// Package auth says who sends a request and how much of it is too much: API keys, the rate limit of each key, the
// limit on wrong keys, the limit on open streams, and the client address that both of the last count by.
package auth
