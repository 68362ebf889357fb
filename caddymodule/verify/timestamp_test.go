package verify_test

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// The limits are those of the tolerance, past and future; a timestamp counts
// only under a right signature.
func TestSignatureTimestamp(t *testing.T) {
	at := func(d time.Duration) time.Time { return now.Add(d) }
	for _, test := range []struct {
		format, name, timestamp string
		want                    error
	}{
		{verify.Unix, "now", unix(now), nil},
		{verify.Unix, "oldest", unix(at(-tolerance)), nil},
		{verify.Unix, "too old", unix(at(-tolerance - time.Second)), verify.ErrStale},
		{verify.Unix, "newest", unix(at(tolerance)), nil},
		{verify.Unix, "too new", unix(at(tolerance + time.Second)), verify.ErrStale},
		{verify.Unix, "zero", "0", verify.ErrStale},
		{verify.Unix, "negative", "-1700000000", verify.ErrStale},
		{verify.Unix, "milliseconds", unixMilli(now), nil},
		{verify.Unix, "too old, in milliseconds", unixMilli(at(-tolerance - time.Millisecond)), verify.ErrStale},
		{verify.Unix, "eleven digits are seconds", "99999999999", verify.ErrStale},
		{verify.Unix, "a bit too old", unix(at(-tolerance-time.Second)) + ".999", verify.ErrStale},
		{verify.Unix, "greatest", strconv.FormatInt(math.MaxInt64, 10), verify.ErrStale},
		{verify.Unix, "least", strconv.FormatInt(math.MinInt64, 10), verify.ErrStale},
		{verify.Unix, "half of the greatest", strconv.FormatInt(math.MaxInt64/2, 10), verify.ErrStale},
		{verify.Unix, "half of the least", strconv.FormatInt(math.MinInt64/2, 10), verify.ErrStale},
		// 2^64/10^9 seconds later, what a time.Duration can count has wrapped
		// around to about now.
		{verify.Unix, "wrapped around", strconv.FormatInt(now.Unix()+18446744074, 10), verify.ErrStale},
		{verify.Unix, "beyond int64", "9223372036854775808", verify.ErrBad},
		{verify.Unix, "beyond uint64", "18446744075409551616", verify.ErrBad},
		{verify.Unix, "no number", "now", verify.ErrBad},
		{verify.Unix, "fraction", unix(now) + ".25", nil},
		{verify.Unix, "two fractions", unix(now) + ".2.5", verify.ErrBad},
		{verify.Unix, "a dot at the end", unix(now) + ".", verify.ErrBad},
		{verify.Unix, "a fraction with a unit", unix(now) + ".5s", verify.ErrBad},
		{verify.Unix, "a negative fraction", unix(now) + ".-5", verify.ErrBad},
		{verify.Unix, "exponent", "1.7e9", verify.ErrBad},
		{verify.Unix, "hexadecimal", "0x6553f100", verify.ErrBad},
		{verify.Unix, "underscores", "1_700_000_000", verify.ErrBad},
		{verify.Unix, "space inside", "17000 00000", verify.ErrBad},
		{verify.Unix, "other digits", "١٧٠٠٠٠٠٠٠٠", verify.ErrBad},
		{verify.Unix, "RFC 3339", rfc3339(now), verify.ErrBad},
		{verify.Unix, "over-long", strings.Repeat("1", 1<<20), verify.ErrBad},

		{verify.UnixMilli, "now", unixMilli(now), nil},
		{verify.UnixMilli, "oldest", unixMilli(at(-tolerance)), nil},
		{verify.UnixMilli, "too old", unixMilli(at(-tolerance - time.Millisecond)), verify.ErrStale},
		{verify.UnixMilli, "newest", unixMilli(at(tolerance)), nil},
		{verify.UnixMilli, "too new", unixMilli(at(tolerance + time.Millisecond)), verify.ErrStale},
		{verify.UnixMilli, "seconds", unix(now), verify.ErrStale},
		{verify.UnixMilli, "greatest", strconv.FormatInt(math.MaxInt64, 10), verify.ErrStale},
		{verify.UnixMilli, "least", strconv.FormatInt(math.MinInt64, 10), verify.ErrStale},
		{verify.UnixMilli, "beyond int64", "-9223372036854775809", verify.ErrBad},
		{verify.UnixMilli, "no number", "1700000000000ms", verify.ErrBad},

		{verify.RFC3339, "now", rfc3339(now), nil},
		{verify.RFC3339, "now, elsewhere", now.In(time.FixedZone("", 5*3600+1800)).Format(time.RFC3339), nil},
		{verify.RFC3339, "oldest", rfc3339(at(-tolerance)), nil},
		{verify.RFC3339, "too old", rfc3339(at(-tolerance - 1)), verify.ErrStale},
		{verify.RFC3339, "newest", rfc3339(at(tolerance)), nil},
		{verify.RFC3339, "too new", rfc3339(at(tolerance + 1)), verify.ErrStale},
		{verify.RFC3339, "first", "0000-01-01T00:00:00Z", verify.ErrStale},
		{verify.RFC3339, "last", "9999-12-31T23:59:59.999999999Z", verify.ErrStale},
		{verify.RFC3339, "no zone", "2023-11-14T22:13:20", verify.ErrBad},
		{verify.RFC3339, "no such day", "2023-02-30T00:00:00Z", verify.ErrBad},
		{verify.RFC3339, "year of five digits", "12023-11-14T22:13:20Z", verify.ErrBad},
		{verify.RFC3339, "HTTP date", now.UTC().Format(http.TimeFormat), verify.ErrBad},
		{verify.RFC3339, "seconds", unix(now), verify.ErrBad},
	} {
		t.Run(test.format+" "+test.name, func(t *testing.T) {
			s := scheme{
				spec: verify.Signature{
					Algorithm: verify.HMACSHA256, Places: inHeader("X-Signature"), Content: "$timestamp.$body",
					Timestamp: &verify.Timestamp{Header: "X-Timestamp", Format: test.format},
				},
				secrets: rawSecrets,
				sign:    mac(sha256.New, raw, hex.EncodeToString),
				content: func(r *verify.Request, timestamp string) string { return timestamp + "." + string(r.Body) },
				layOut:  onlySignature,
			}
			v := s.verifier(t)
			r := newRequest()
			s.putStamp(r, s.secrets[1], test.timestamp)
			if test.want == nil {
				checkProof(t, v, r, verify.Proof{Ordinal: 2})
			} else {
				checkRefused(t, v, r, test.want, s.secrets[:]...)
			}
			// A stranger does not learn what the gateway thinks of a timestamp.
			s.putStamp(r, s.secrets[2], test.timestamp)
			checkRefused(t, v, r, verify.ErrBad, s.secrets[:]...)
		})
	}
}

// The tolerance is the caller's, and the clock's fractions count.
func TestSignatureTolerance(t *testing.T) {
	s := schemeOf(slack)
	for _, test := range []struct {
		tolerance time.Duration
		age       time.Duration
		received  time.Duration // after now
		want      error
	}{
		{0, 0, 0, nil},
		{0, time.Second, 0, verify.ErrStale},
		{0, 0, 1, verify.ErrStale},
		{time.Second, time.Second, 0, nil},
		{time.Second, time.Second, 1, verify.ErrStale},
		{time.Second, -time.Second, 0, nil},
		{time.Second, -time.Second, -1, verify.ErrStale},
		{240 * time.Hour, 240 * time.Hour, 0, nil},
		{240 * time.Hour, 240*time.Hour + time.Second, 0, verify.ErrStale},
	} {
		v, err := verify.NewSignatureVerifier(s.spec, s.secrets[:1], test.tolerance)
		if err != nil {
			t.Fatal(err)
		}
		r := newRequest()
		r.Time = now.Add(test.received)
		s.put(r, s.secrets[0], now.Add(-test.age))
		if test.want != nil {
			checkRefused(t, v, r, test.want, s.secrets[:]...)
			continue
		}
		checkProof(t, v, r, verify.Proof{Ordinal: 1})
	}
}

// What is signed is the text of the timestamp as it was sent, not its value.
func TestSignatureSignsTimestampAsSent(t *testing.T) {
	s := schemeOf(slack)
	for _, timestamp := range []string{"1700000000", "01700000000", "+1700000000"} {
		r := newRequest()
		s.putStamp(r, s.secrets[0], timestamp)
		checkProof(t, s.verifier(t), r, verify.Proof{Ordinal: 1})
		r.Header.Set(s.spec.Timestamp.Header, "001700000000")
		checkRefused(t, s.verifier(t), r, verify.ErrBad)
	}
}
