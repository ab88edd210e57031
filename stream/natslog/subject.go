package natslog

import (
	"fmt"
	"strings"

	"proofstream/stream"
)

// subject returns where events of a site and kind are published. Sites are checked at the door, but
// a wildcard or a dot in one would here reach into other sites, so they are checked again.
func (l *Log) subject(site string, kind stream.Kind) (string, error) {
	if err := checkSite(site); err != nil {
		return "", err
	}
	switch kind {
	case stream.Announce:
		return l.opts.Stream + "." + site + ".signup", nil
	case stream.Retract:
		return l.opts.Stream + "." + site + ".retract", nil
	}
	return "", fmt.Errorf("unknown kind of event %d", kind)
}

func checkSite(site string) error {
	if len(site) < 1 || len(site) > 63 {
		return fmt.Errorf("site name of %d bytes; it has 1 to 63", len(site))
	}
	for _, c := range []byte(site) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("site name %q has other characters than a-z, 0-9 and -", site)
		}
	}
	return nil
}

// parseSubject is the reverse of subject.
func (l *Log) parseSubject(subject string) (site string, kind stream.Kind, err error) {
	rest, ok := strings.CutPrefix(subject, l.opts.Stream+".")
	site, verb, _ := strings.Cut(rest, ".")
	if ok && checkSite(site) == nil {
		switch verb {
		case "signup":
			return site, stream.Announce, nil
		case "retract":
			return site, stream.Retract, nil
		}
	}
	return "", 0, fmt.Errorf("message on subject %q is no event of ours", subject)
}
