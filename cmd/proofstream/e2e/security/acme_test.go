package security

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"proofstream/cmd/proofstream/e2e"
	"proofstream/stream/waitfor"
)

// pebble is the test authority of Let's Encrypt. It is built outside of this module, which needs none of what it imports.
const pebble = "github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.3"

// acmeAddress is where the service listens in these tests, and brokenAddress where nothing does.
const acmeAddress, brokenAddress = "127.0.0.11", "127.0.0.12"

// A certificate is obtained from a real authority, with a challenge over TLS, and kept: after a restart it is served with the authority gone. A
// challenge that fails is one warning, with what the authority found. What one authority has issued is not served when another one is configured.
func TestACMERehearsal(t *testing.T) {
	e2e.Strong(t)
	if l, err := net.Listen("tcp", acmeAddress+":80"); err != nil {
		t.Skipf("port 80 cannot be had here: %v", err)
	} else {
		l.Close()
	}
	_, port, err := net.SplitHostPort(e2e.FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	directory, trust, stop := startPebble(t, port)
	p := e2e.Start(t, "PROOF_ACME_HOSTS=proof.example.com,broken.example.com", "PROOF_ACME_EMAIL=ops@example.com",
		"PROOF_ACME_DIRECTORY="+directory, "SSL_CERT_FILE="+trust, "PROOF_ADDR="+acmeAddress+":"+port)

	before, err := certificateOf(p, "proof.example.com")
	if err != nil {
		t.Fatalf("no certificate: %v", err)
	}
	for range 2 {
		if _, err := certificateOf(p, "broken.example.com"); err == nil {
			t.Error("got a certificate for a host whose challenge fails")
		}
	}
	line := p.AwaitLog("level=WARN")
	if n := strings.Count(p.Stderr.String(), "level=WARN"); n != 1 || !strings.Contains(line, "host=broken.example.com") {
		t.Errorf("got %d warnings, want one about broken.example.com:\n%s", n, line)
	}
	for _, want := range []string{"tls-alpn-01: urn:ietf:params:acme:error:unauthorized: Failed to connect to " + brokenAddress, "http-01: urn:ietf:params:acme:error:connection: "} {
		if !strings.Contains(line, want) {
			t.Errorf("the warning does not say %q:\n%s", want, line)
		}
	}

	p.Stop()
	stop()
	p = p.Restart()
	if after, err := certificateOf(p, "proof.example.com"); err != nil || after != before {
		t.Errorf("after a restart without the authority: got certificate %s (%v), want %s", after, err, before)
	}
	p.Stop()
	p = p.Restart("PROOF_ACME_DIRECTORY=https://" + e2e.FreeAddress(t) + "/directory")
	if other, err := certificateOf(p, "proof.example.com"); err == nil {
		t.Errorf("with another authority: got certificate %s, want none", other)
	}
}

// certificateOf returns the serial number of the certificate that p serves for a host. It must be from the authority.
func certificateOf(p *e2e.Program, host string) (serial string, err error) {
	conn, err := tls.Dial("tcp", strings.TrimPrefix(p.URL, "https://"), &tls.Config{ServerName: host, InsecureSkipVerify: true}) // its root is new in each run
	if err != nil {
		return "", err
	}
	defer conn.Close()
	leaf := conn.ConnectionState().PeerCertificates[0]
	if err := leaf.VerifyHostname(host); err != nil {
		return "", err
	}
	if !strings.HasPrefix(leaf.Issuer.CommonName, "Pebble ") {
		return "", fmt.Errorf("the issuer is %s", leaf.Issuer)
	}
	return leaf.SerialNumber.String(), nil
}

// startPebble starts an authority that validates challenges at the port of acmeAddress. trust is the file with the certificate of its directory.
func startPebble(t *testing.T, port string) (directory, trust string, stop func()) {
	t.Helper()
	dir := t.TempDir()
	install := exec.Command("go", "install", pebble)
	install.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	install.Dir = dir // outside of this module
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pebble, err, out)
	}
	address := e2e.FreeAddress(t)
	cert, key := e2e.NewAuthority(t, "localhost").Write(t, dir)
	config := filepath.Join(dir, "pebble.json")
	text := fmt.Sprintf(`{"pebble": {"listenAddress": %q, "managementListenAddress": "", "certificate": %q, "privateKey": %q, "httpPort": 80, "tlsPort": %s,
		"retryAfter": {"authz": 1, "order": 1}, "profiles": {"default": {"description": "90 days", "validityPeriod": 7776000}}}}`, address, cert, key, port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "pebble"), "-config", config, "-dnsserver", serveNames(t))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	out, stop := e2e.StartProcess(t, cmd)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the authority wrote:\n%s", out)
		}
	})
	if _, ok := out.Line("ACME directory available at", waitfor.Patience); !ok {
		t.Fatalf("pebble does not serve:\n%s", out)
	}
	return "https://" + address + "/dir", cert, stop
}

// serveNames starts a DNS server on TCP on which broken.example.com is at brokenAddress, and every other name at acmeAddress.
func serveNames(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for serveName(conn) == nil {
				}
			}()
		}
	}()
	return l.Addr().String()
}

// serveName answers one query. Each message follows its length (RFC 1035 section 4.2.2).
func serveName(conn net.Conn) error {
	var length uint16
	if err := binary.Read(conn, binary.BigEndian, &length); err != nil {
		return err
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(conn, b); err != nil {
		return err
	}
	var query dnsmessage.Message
	if err := query.Unpack(b); err != nil {
		return err
	}
	packed, err := answer(query)
	if err != nil {
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...))
	return err
}

// answer returns the response to a query: an address of type A, nothing of any other type.
func answer(query dnsmessage.Message) ([]byte, error) {
	if len(query.Questions) != 1 {
		return nil, errors.New("not one question")
	}
	q := query.Questions[0]
	response := dnsmessage.Message{Header: dnsmessage.Header{ID: query.ID, Response: true, Authoritative: true}, Questions: query.Questions}
	if q.Type == dnsmessage.TypeA {
		at := acmeAddress
		if q.Name.String() == "broken.example.com." {
			at = brokenAddress
		}
		response.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class},
			Body:   &dnsmessage.AResource{A: [4]byte(net.ParseIP(at).To4())},
		}}
	}
	return response.Pack()
}
