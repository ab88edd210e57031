// Package pages tests the widget on pages that frameworks, tag managers, optimisers and cookie banners make.
package pages

import (
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

func TestMain(m *testing.M) { e2e.RunWaitingTests(m) }
