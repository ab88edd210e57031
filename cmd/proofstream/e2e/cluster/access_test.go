package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/natslog/natstest"
	"proofstream/stream/waitfor"
)

// The service connects to a cluster with a token, a password, credentials and TLS, though the first address of its list is dead. No
// secret is in the log, also when the connection fails.
func TestClusterAccess(t *testing.T) {
	e2e.Slow(t)
	const secret = "canary-of-the-cluster"
	certificate, key := e2e.NewAuthority(t, "nats.example.com").Write(t, t.TempDir())
	operator, creds := operatorMode(t)
	tests := []struct {
		name   string
		server string // lines of the server's configuration
		scheme string
		user   string
		env    []string
	}{
		{"a token", `authorization { token: "` + secret + `" }`, "nats", secret + "@", nil},
		{"user and password", `authorization { user: me, password: "` + secret + `" }`, "nats", "me:" + secret + "@", nil},
		{"a file of credentials", operator, "nats", "", []string{"PROOF_NATS_CREDS_FILE=" + creds}},
		{"TLS", fmt.Sprintf("tls { cert_file: %q, key_file: %q }", certificate, key), "tls", "", []string{"SSL_CERT_FILE=" + certificate}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := e2e.StartNATS(t, 1, test.server)
			dead := natstest.FreePorts(t, 1)[0]
			address := fmt.Sprintf("%s://%s127.0.0.1:%d", test.scheme, test.user, c.Servers[0].Port)
			list := fmt.Sprintf("%s://%s127.0.0.1:%d, %s", test.scheme, test.user, dead, address)
			p := e2e.Start(t, append([]string{"PROOF_NATS_URL=" + list, "PROOF_LOG_LEVEL=debug"}, test.env...)...)
			p.Post(t, "user_name=Ada")
			c.Servers[0].Kill()
			waitfor.Until(t, waitfor.Patience, func() bool { return !p.Ready() }, p.Stderr.String)
			c.Servers[0].Start()
			p.Post(t, "user_name=Bob")
			if log := p.Stderr.String(); strings.Contains(log, secret) || strings.Contains(log, "SEED") {
				t.Errorf("a secret is in the log:\n%s", log)
			}
		})
	}
}

// A service with a wrong token waits, and connects when the server's token is corrected. The token is not in the log.
func TestClusterTokenIsCorrected(t *testing.T) {
	e2e.Slow(t)
	t.Parallel()
	const secret = "canary-of-the-cluster"
	c := e2e.StartNATS(t, 1, `authorization { token: "another" }`)
	p := e2e.Launch(t, fmt.Sprintf("PROOF_NATS_URL=nats://%s@127.0.0.1:%d", secret, c.Servers[0].Port))
	if line := p.AwaitLog("uthorization"); !strings.Contains(line, "waiting for the NATS cluster") || strings.Contains(p.Stderr.String(), secret) {
		t.Errorf("got %s", p.Stderr)
	}
	c.Servers[0].Kill()
	replaceInFile(t, filepath.Join(c.Servers[0].Dir, "nats.conf"), "another", secret)
	c.Servers[0].Start()
	p.AwaitLog("serving url=")
}

// replaceInFile replaces all occurrences of a text in a file.
func replaceInFile(t *testing.T, path, old, new string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.ReplaceAll(string(b), old, new)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// operatorMode returns a server configuration with an operator and one account, and the path of the credentials of a user.
func operatorMode(t *testing.T) (config, creds string) {
	t.Helper()
	pair := func(kind nkeys.PrefixByte) (nkeys.KeyPair, string) {
		k, err := nkeys.CreatePair(kind)
		if err != nil {
			t.Fatal(err)
		}
		public, _ := k.PublicKey()
		return k, public
	}
	signed := func(c jwt.Claims, by nkeys.KeyPair) string {
		token, err := c.Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	operator, operatorID := pair(nkeys.PrefixByteOperator)
	account, accountID := pair(nkeys.PrefixByteAccount)
	user, userID := pair(nkeys.PrefixByteUser)
	_, systemID := pair(nkeys.PrefixByteAccount)
	claims := jwt.NewAccountClaims(accountID)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	o := jwt.NewOperatorClaims(operatorID)
	o.SystemAccount = systemID
	config = fmt.Sprintf("operator: %s\nresolver: MEMORY\nsystem_account: %s\nresolver_preload: { %s: %s, %s: %s }", signed(o, operator), systemID,
		accountID, signed(claims, operator), systemID, signed(jwt.NewAccountClaims(systemID), operator))
	seed, _ := user.Seed()
	file, err := jwt.FormatUserConfig(signed(jwt.NewUserClaims(userID), account), seed)
	if err != nil {
		t.Fatal(err)
	}
	creds = filepath.Join(t.TempDir(), "user.creds")
	if err := os.WriteFile(creds, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return config, creds
}
