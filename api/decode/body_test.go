package decode

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

func TestDecodeSignupRefusesCodedBodies(t *testing.T) {
	for coding, status := range map[string]int{"gzip": 415, "identity": 0, "IDENTITY": 0, "": 0, "identity, br": 415} {
		r := posting(JSON, strings.NewReader(`{}`))
		r.Header.Set("Content-Encoding", coding)
		_, _, err := Signup(r)
		var got *Error
		if errors.As(err, &got); (got == nil) != (status == 0) || got != nil && got.Status != status {
			t.Errorf("Content-Encoding %q: got %+v; want status %d", coding, got, status)
		}
	}
}

func TestDecodeSignupRefusesTwoMediaTypes(t *testing.T) {
	r := posting(JSON, strings.NewReader(`{}`))
	r.Header.Add("Content-Type", Form)
	_, _, err := Signup(r)
	var got *Error
	if !errors.As(err, &got) || got.Status != http.StatusUnsupportedMediaType {
		t.Errorf("got %v; want 415", err)
	}
}

func TestDecodeSignupBelievesALengthBeyondTheLimit(t *testing.T) {
	body := &counter{}
	r := posting(JSON, body)
	r.ContentLength = MaxBody + 1
	_, _, err := Signup(r)
	var got *Error
	if !errors.As(err, &got) || got.Status != http.StatusRequestEntityTooLarge || body.n != 0 {
		t.Errorf("got %v after %d bytes; want 413 before the first", err, body.n)
	}
}

func TestDecodeSignupStopsReadingAtTheLimit(t *testing.T) {
	endless := &counter{}
	_, _, err := Signup(posting(Form, endless))
	var got *Error
	if !errors.As(err, &got) || got.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("got %v; want 413", err)
	}
	if endless.n > 4*MaxBody {
		t.Errorf("read %d bytes; want to stop soon after %d", endless.n, MaxBody)
	}
}

// counter is a body without end that counts what was read of it.
type counter struct{ n int }

func (c *counter) Read(p []byte) (int, error) {
	c.n += len(p)
	return len(p), nil
}

func TestDecodeSignupReportsABrokenBody(t *testing.T) {
	for broken, status := range map[error]int{
		io.ErrUnexpectedEOF:                     http.StatusBadRequest,
		os.ErrDeadlineExceeded:                  http.StatusRequestTimeout,
		&http.MaxBytesError{Limit: MaxBody / 2}: http.StatusRequestEntityTooLarge,
	} {
		body := io.MultiReader(strings.NewReader(`{}`), iotest.ErrReader(broken))
		_, _, err := Signup(posting(JSON, body))
		var got *Error
		if !errors.As(err, &got) || got.Status != status {
			t.Errorf("%v: got %v; want %d", broken, err, status)
		}
	}
}
