package command

import (
	"encoding/json"
	"testing"
	"time"
)

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"":                     "",
		"Grüße, 你好 🎉":          "Grüße, 你好 🎉",
		"a\x00\x1b\x7f\u0085b": `a\u0000\u001b\u007f\u0085b`,
		"\r\n\t":               `\u000d\u000a\u0009`,
		"\u202e\u2066\u200b":   `\u202e\u2066\u200b`,
		"\U000e0041":           `\udb40\udc41`,
		"\xff":                 "\ufffd",
	} {
		if got := printable(s); got != want {
			t.Errorf("%q: %s; want %s", s, got, want)
		}
	}
	// JSON means the same afterwards.
	for _, s := range []string{"\u009b\u202e\U000e0041\u2028 é", "\x00\n\"\\"} {
		encoded, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := json.Unmarshal([]byte(printable(string(encoded))), &got); err != nil || got != s {
			t.Errorf("%q became %q, %v", s, got, err)
		}
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:           "0s",
		59 * time.Second:       "59s",
		time.Minute:            "1m",
		59*time.Minute + 59e9:  "59m",
		time.Hour:              "1h",
		47*time.Hour + 59*60e9: "47h",
		48 * time.Hour:         "2d",
		400 * 24 * time.Hour:   "400d",
	} {
		if got := age(d); got != want {
			t.Errorf("%v: %s; want %s", d, got, want)
		}
	}
}
