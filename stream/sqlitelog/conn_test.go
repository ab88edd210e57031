package sqlitelog

import "testing"

// The address of a database names its path, whatever characters that has. Without a slash before a drive, SQLite takes the drive for a host.
func TestAddressNamesThePath(t *testing.T) {
	tests := map[string]struct{ path, want string }{
		"a path of Unix":         {"/var/lib/proofstream/proofstream.db", "file:///var/lib/proofstream/proofstream.db?mode=ro"},
		"a path with a drive":    {"C:/data/proofstream.db", "file:///C:/data/proofstream.db?mode=ro"},
		"a path on another host": {"//host/share/proofstream.db", "file:////host/share/proofstream.db?mode=ro"},
		"characters of a URI":    {"/a?b#c%20/proofstream.db", "file:///a%3Fb%23c%2520/proofstream.db?mode=ro"},
		"a space and an umlaut":  {"/my data/ü.db", "file:///my%20data/%C3%BC.db?mode=ro"},
	}
	for name, tt := range tests {
		if got := address(tt.path, reading); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}
