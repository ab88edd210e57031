package hooks

import (
	"testing"

	"proofstream/cmd/proofstream/e2e"
)

func TestMain(m *testing.M) { e2e.RunTests(m) }
