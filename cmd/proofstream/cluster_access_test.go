package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// The ways into a cluster, over a list whose first address is dead; and that none of the secrets is told, whatever happens.
func TestClusterAccess(t *testing.T) {
	const secret = "canary-of-the-cluster"
	certificate, key := selfSigned(t)
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
			c := startNATS(t, 1, test.server)
			dead := freePorts(t, 1)[0]
			address := fmt.Sprintf("%s://%s127.0.0.1:%d", test.scheme, test.user, c.servers[0].port)
			list := fmt.Sprintf("%s://%s127.0.0.1:%d, %s", test.scheme, test.user, dead, address)
			p := start(t, append([]string{"PROOF_NATS_URL=" + list, "PROOF_LOG_LEVEL=debug"}, test.env...)...)
			p.post(t, "user_name=Ada")
			c.servers[0].kill()
			until(t, patience, func() bool { a, _ := p.try("GET", "/ready", ""); return a.status == 503 }, p.stderr.String)
			c.servers[0].start()
			p.post(t, "user_name=Bob")
			if said := p.stderr.String(); strings.Contains(said, secret) || strings.Contains(said, "SEED") {
				t.Errorf("a secret was told:\n%s", said)
			}
		})
	}
	t.Run("a wrong token that is put right", func(t *testing.T) {
		t.Parallel()
		c := startNATS(t, 1, `authorization { token: "another" }`)
		p := launch(t, fmt.Sprintf("PROOF_NATS_URL=nats://%s@127.0.0.1:%d", secret, c.servers[0].port))
		if line := p.awaitLog("uthorization"); !strings.Contains(line, "waiting for it") || strings.Contains(p.stderr.String(), secret) {
			t.Errorf("told: %s", p.stderr)
		}
		c.servers[0].kill()
		right(t, c.servers[0].config, "another", secret)
		c.servers[0].start()
		p.awaitLog("serving url=")
	})
}

// right replaces a word in a file.
func right(t *testing.T, path, wrong, right string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.ReplaceAll(string(b), wrong, right)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// selfSigned writes a certificate for the loopback address, which is its own authority, and its key.
func selfSigned(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", secret)
}

// operatorMode returns a server's configuration with an operator and one account, and the file of credentials of a user.
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
