package console

import (
	"strings"
	"testing"
	"time"
)

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                               "plain",
		"<script>alert(1)</script>":           "&lt;script&gt;alert(1)&lt;/script&gt;",
		"a\u202eb":                            `a<span class="odd">U+202E</span>b`,
		"a\x00b":                              `a<span class="odd">U+0000</span>b`,
		"a\xffb":                              `a<span class="odd">\xFF</span>b`,
		"line\nbreak":                         `line<span class="odd">U+000A</span>break`,
		"\ufeff\u200b":                        `<span class="odd">U+FEFF</span><span class="odd">U+200B</span>`,
		"👩\u200d🚒 שלום":                       "👩\u200d🚒 שלום",
		"\U000e0041":                          `<span class="odd">U+E0041</span>`,
		`"&'`:                                 "&#34;&amp;&#39;",
		strings.Repeat("x", maxText):          strings.Repeat("x", maxText),
		strings.Repeat("é", maxText+1):        strings.Repeat("é", maxText) + "…",
		strings.Repeat("é", maxText) + "\xff": strings.Repeat("é", maxText) + "…",
	} {
		if got := string(isolated(text, maxText)); got != "<bdi>"+want+"</bdi>" {
			t.Errorf("%q: %s", text, got)
		}
	}
	if got := visible("a\n\tb\r", true); got != "a\n\tb<span class=\"odd\">U+000D</span>" {
		t.Errorf("%q", got)
	}
}

func TestNumbers(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0.0 ms", 1500 * time.Microsecond: "1.5 ms", 250 * time.Millisecond: "250 ms", 59 * time.Second: "59 s",
		18*time.Minute + 59*time.Second: "18 min", 3 * time.Hour: "3 h", 3*time.Hour + 5*time.Minute: "3 h 5 min", 30*time.Hour + time.Minute: "30 h", 50 * time.Hour: "2 days",
	} {
		if got := span(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
	for f, want := range map[float64]string{0: "0", 0.05: "0.05", 1.26: "1.3", 12345.6: "12,346"} {
		if got := rate(f); got != want {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
	for ms, want := range map[float64]string{0.04: "0.0 ms", 9.96: "10 ms", 994: "994 ms", 999: "1.0 s", 30000: "30 s"} {
		if got := milliseconds(ms); got != want {
			t.Errorf("%v: %s, want %s", ms, got, want)
		}
	}
}

func TestMoment(t *testing.T) {
	at := time.Date(2026, 5, 4, 14, 2, 3, 4e6, time.FixedZone("", 7200))
	want := `<time datetime="2026-05-04T12:02:03.004Z" title="2026-05-04T12:02:03.004Z" data-precision="second">4 May 12:02:03 UTC</time>`
	if got := string(moment(at, "second")); got != want {
		t.Error(got)
	}
	if got := moment(time.Time{}, "minute"); got != "" {
		t.Error(got)
	}
}
