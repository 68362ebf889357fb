package provider

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// timeFormat is the format of a provider's time: verify.RFC3339, verify.Unix,
// verify.UnixMilli, or a layout. It becomes RFC 3339 in UTC with the same precision.
type timeFormat string

// newTimeFormat checks the format of a time. A layout must not have the abbreviation
// of a zone, which Go reads as UTC whatever it is.
func newTimeFormat(as string) (timeFormat, error) {
	switch as {
	case verify.RFC3339, verify.Unix, verify.UnixMilli:
		return timeFormat(as), nil
	}
	if !strings.Contains(as, "06") || strings.Contains(as, "MST") {
		return "", fmt.Errorf(`unknown "as %s"; use rfc3339, unix, unix_ms or a layout such as "2006-01-02 15:04:05", with -0700 for a zone`, as)
	}
	return timeFormat(as), nil
}

// append appends the time in value, or nothing if it cannot be read.
func (f timeFormat) append(dst []byte, v value) []byte {
	switch f {
	case verify.Unix, verify.UnixMilli:
		return f.appendNumber(dst, v)
	}
	if !v.isString() {
		return dst
	}
	text := v.text()
	layout := string(f)
	if f == verify.RFC3339 {
		layout = time.RFC3339
	}
	t, err := time.Parse(layout, text)
	if err != nil {
		return dst
	}
	digits := fractionDigits(text)
	if digits == 0 && t.Nanosecond() > 0 {
		digits = 9 // a layout of its own
	}
	return appendTime(dst, t, digits)
}

// milliDigits is the number of digits from which a Unix time is in milliseconds: as
// seconds, it would be after the year 5000.
const milliDigits = 12

// appendNumber reads seconds, with or without a fraction, or milliseconds.
func (f timeFormat) appendNumber(dst []byte, v value) []byte {
	digits := v.text()
	if f == verify.UnixMilli || len(digits) >= milliDigits && isDigits(digits) {
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return dst
		}
		return appendTime(dst, time.UnixMilli(n), 3)
	}
	seconds, fraction, fractional := strings.Cut(digits, ".")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || (fractional && (seconds[0] == '-' || !isDigits(fraction))) {
		return dst
	}
	fraction = fraction[:min(len(fraction), 9)]
	nanos := 0
	if fractional {
		nanos, _ = strconv.Atoi((fraction + "000000000")[:9]) // digits only
	}
	return appendTime(dst, time.Unix(n, int64(nanos)), len(fraction))
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// The first and the last second of the years 1 to 9999 in UTC, in Unix time. RFC
// 3339 can also write the year 0, but Python and others cannot read it.
const (
	minSecond = -62_135_596_800
	maxSecond = 253_402_300_799
)

// appendTime appends t in UTC with as many digits of its fraction; nothing when
// its year in UTC is not one of 1 to 9999.
func appendTime(dst []byte, t time.Time, digits int) []byte {
	if t.Unix() < minSecond || t.Unix() > maxSecond {
		return dst
	}
	t = t.UTC()
	dst = t.AppendFormat(dst, time.RFC3339)
	if digits == 0 {
		return dst
	}
	dst = append(dst[:len(dst)-len("Z")], '.')
	for unit := 100_000_000; digits > 0; digits-- {
		dst = append(dst, '0'+byte(t.Nanosecond()/unit%10))
		unit /= 10
	}
	return append(dst, 'Z')
}

// fractionDigits counts the digits of the fraction of a second in s, at most 9:
// those after the dot or comma behind `:05`.
func fractionDigits(s string) int {
	for i := 3; i < len(s); i++ {
		if (s[i] != '.' && s[i] != ',') || s[i-3] != ':' {
			continue
		}
		n := 0
		for _, c := range s[i+1:] {
			if c < '0' || c > '9' {
				break
			}
			n++
		}
		return min(n, 9)
	}
	return 0
}
