package verify

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Formats of a signed timestamp.
const (
	Unix      = "unix"
	UnixMilli = "unix_ms"
	RFC3339   = "rfc3339"
)

// firstMilli is where Unix takes a number for milliseconds: 12 digits are a time after
// the year 5000 in seconds.
const firstMilli = 100_000_000_000

// validate checks the place and the format.
func (t *Timestamp) validate(s Signature) error {
	if t == nil {
		return nil
	}
	if t.Format != Unix && t.Format != UnixMilli && t.Format != RFC3339 {
		return fmt.Errorf("unknown timestamp format %q; use %s, %s or %s", t.Format, Unix, UnixMilli, RFC3339)
	}
	n := 0
	for _, set := range []bool{t.Header != "", t.Query != "", t.Body != ""} {
		if set {
			n++
		}
	}
	if n > 1 || n == 1 && t.isItem() {
		return errors.New("timestamp: use exactly one of header, item, query and body")
	}
	switch {
	case t.Header != "":
		return t.validateHeader(s)
	case t.Query != "":
		return nil
	case t.Body != "":
		if _, err := parseMemberPath(t.Body); err != nil {
			return fmt.Errorf("timestamp: %w", err)
		}
		return nil
	}
	return t.validateItem(s)
}

func (t *Timestamp) validateHeader(s Signature) error {
	if err := CheckHeaderName(t.Header); err != nil {
		return fmt.Errorf("timestamp: %w", err)
	}
	if slices.ContainsFunc(s.Places, func(p SignaturePlace) bool { return strings.EqualFold(t.Header, p.Header) }) {
		return errors.New("timestamp: its header is that of the signature; use its item")
	}
	return nil
}

func (t *Timestamp) validateItem(s Signature) error {
	if s.Separator == "" || t.Item < 0 || t.Item > MaxItems || (t.Item == 0) == (t.Prefix == "") {
		return errors.New(`timestamp: an item needs a "separator", and either a position or a prefix`)
	}
	if slices.ContainsFunc(s.Places, SignaturePlace.isPattern) {
		return errors.New("timestamp: an item does not work where the signature can be in several headers; use a header of its own")
	}
	if slices.ContainsFunc(s.Places, func(p SignaturePlace) bool { return t.Item == p.Item && t.Prefix == s.Prefix }) {
		return errors.New("timestamp: its item is that of the signature; use another one")
	}
	return nil
}

// isItem reports whether the timestamp is an item beside the signature.
func (t *Timestamp) isItem() bool { return t.Item != 0 || t.Prefix != "" }

// place names the place of the timestamp, which is beside a signature in place if it is an
// item.
func (t *Timestamp) place(place SignaturePlace) string {
	switch {
	case t.Item > 0:
		return fmt.Sprintf("the timestamp, item %d of %s,", t.Item, place)
	case t.Prefix != "":
		return fmt.Sprintf("the timestamp, the item of %s that begins with %q,", place, t.Prefix)
	}
	return Place{Header: http.CanonicalHeaderKey(t.Header), Query: t.Query, Body: t.Body}.String()
}

// parse returns the time that a timestamp says.
func (t *Timestamp) parse(timestamp string) (time.Time, error) {
	if t.Format == RFC3339 {
		return time.Parse(time.RFC3339, timestamp)
	}
	whole, fraction, hasFraction := strings.Cut(timestamp, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	var rest time.Duration
	if hasFraction {
		if rest, err = time.ParseDuration("0." + fraction + "s"); err != nil || fraction == "" {
			return time.Time{}, errors.New("not a fraction")
		}
	}
	if t.Format == UnixMilli || n >= firstMilli || n <= -firstMilli {
		return time.UnixMilli(n), nil
	}
	return time.Unix(n, 0).Add(rest), nil
}

// format writes a time as the provider does.
func (t *Timestamp) format(at time.Time) string {
	switch {
	case t == nil:
		return ""
	case t.Format == UnixMilli:
		return strconv.FormatInt(at.UnixMilli(), 10)
	case t.Format == RFC3339:
		return at.UTC().Format(time.RFC3339)
	default:
		return strconv.FormatInt(at.Unix(), 10)
	}
}

// checkAge returns an error unless t is within the tolerance of now. what names t.
func checkAge(what string, t, now time.Time, tolerance time.Duration) error {
	// Sub saturates instead of overflowing into the tolerance; negating its minimum
	// would overflow.
	switch age := now.Sub(t); {
	case age > tolerance:
		return because(ErrStale, "%s is %s old, and `tolerance` is %s", what, age.Truncate(time.Second), tolerance)
	case age < -tolerance:
		return because(ErrStale, "%s is %s in the future, and `tolerance` is %s; compare the clocks", what, t.Sub(now).Truncate(time.Second), tolerance)
	}
	return nil
}
