package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is a self-signed certificate for one host name, 127.0.0.1 and 127.0.0.7.
type Authority struct {
	Cert, Key []byte // PEM
	Pool      *x509.CertPool
}

// NewAuthority creates a certificate that is valid for 90 days.
func NewAuthority(t *testing.T, name string) Authority {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 7)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(90 * 24 * time.Hour),
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	a := Authority{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}),
		Pool: x509.NewCertPool(),
	}
	a.Pool.AppendCertsFromPEM(a.Cert)
	return a
}

// Write writes cert.pem and key.pem into dir, the key first, and returns their paths.
func (a Authority) Write(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for _, file := range []struct {
		path string
		text []byte
	}{{key, a.Key}, {cert, a.Cert}} {
		if err := os.WriteFile(file.path, file.text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// Client returns an HTTP client that trusts the authority and prefers HTTP/2.
func (a Authority) Client(t *testing.T) *http.Client {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Pool}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// StartSecured is Start with the certificate of a. The program's Client trusts it.
func StartSecured(t *testing.T, a Authority, env ...string) *Program {
	t.Helper()
	cert, key := a.Write(t, t.TempDir())
	p := Start(t, append([]string{"PROOF_TLS_CERT_FILE=" + cert, "PROOF_TLS_KEY_FILE=" + key}, env...)...)
	p.Client = a.Client(t)
	return p
}
