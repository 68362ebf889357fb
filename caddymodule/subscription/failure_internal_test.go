package subscription

import "testing"

// TestRetryWhen shows how a Retry-After header is read.
func TestRetryWhen(t *testing.T) {
	for header, want := range map[string]string{
		"":                                  "later",
		"0":                                 "in 0 s",
		"30":                                "in 30 s",
		" 30\t":                             "in 30 s",
		"999999999":                         "in 999999999 s",
		"1000000000":                        "later",
		"-1":                                "later",
		"+1":                                "later",
		"1.5":                               "later",
		"30 s":                              "later",
		"soon":                              "later",
		"3\x1b[2J":                          "later",
		"２":                                 "later",
		"Wed, 21 Oct 2026 07:28:00 GMT":     "after 2026-10-21 07:28:00 UTC",
		"Wednesday, 21-Oct-26 07:28:00 GMT": "after 2026-10-21 07:28:00 UTC",
		"Wed Oct 21 07:28:00 2026":          "after 2026-10-21 07:28:00 UTC",
		"2026-10-21T07:28:00Z":              "later",
	} {
		if got := retryWhen(header); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

// TestReason shows where an answer holds the provider's message.
func TestReason(t *testing.T) {
	for answer, want := range map[string]string{
		``:                                    "",
		`<html>no</html>`:                     "",
		`null`:                                "",
		`7`:                                   "",
		`"no"`:                                ": no",
		"no,\r\nnever\n":                      ": no, never",
		`{"message":"no"`:                     `: {"message":"no"`, // not JSON
		" \n<!DOCTYPE html>no":                "",
		" \t\x00":                             "",
		`{"type":"no"}`:                       ": no",
		`{"type":"no","message":"never"}`:     ": never",
		`{"type":"no","message":""}`:          ": no",
		`{"type":7,"title":"no"}`:             "",
		`[{"type":"no"},{"detail":"never"}]`:  ": no, never",
		`["no","never"]`:                      ": no, never",
		`{"message":"no"}`:                    ": no",
		`{"message":""}`:                      "",
		`{"message":7,"code":"a"}`:            "",
		`{"error":"no","message":"never"}`:    ": never, no",
		`{"error":{"message":"no","code":7}}`: ": no",
		`{"errors":[{"detail":"no"},{"details":["never"]}]}`:        ": no, never",
		`{"status":{"code":422,"type":"error","description":"no"}}`: ": no",
		`{"status":{"code":422,"type":"error"}}`:                    ": error",
		`{"status":{"code":422,"type":"error"},"message":"no"}`:     ": no, error",
		`{"message":"\u0000\n"}`:                                    "",
	} {
		if got := new(Client).reason([]byte(answer)); got != want {
			t.Errorf("%s: %q, want %q", answer, got, want)
		}
	}
}
