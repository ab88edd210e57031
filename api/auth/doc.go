// Package auth has the API keys and the limits: the rate limit of each key, the failed-auth limit and the connection limit of
// each client address.
package auth
