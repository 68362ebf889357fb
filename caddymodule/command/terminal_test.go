package command

import (
	"strings"
	"testing"
	"time"
)

func TestColumns(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "abc": 3, "é": 1, "e\u0301": 1, "你好": 4, "🎉": 2, "ａ": 2, "ｱ": 1, "…": 1, "Z\u0300\u0301\u0302": 1,
	} {
		if got := columnsOf(text); got != want {
			t.Errorf("%q takes %d; want %d", text, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"", 1, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"abcd", 1, "…"},
		{"你好吗", 6, "你好吗"},
		{"你好吗", 5, "你好…"},
		{"你好吗", 4, "你…"},
		{"ae\u0301bc", 3, "ae\u0301…"},
		{strings.Repeat("x", 300_000), 5, "xxxx…"},
	} {
		if got := cut(c.text, c.n); got != c.want || columnsOf(got) > c.n {
			t.Errorf("%.10q in %d: %q; want %q", c.text, c.n, got, c.want)
		}
	}
}

func TestShortTime(t *testing.T) {
	zone := time.FixedZone("", 2*60*60)
	now := time.Date(2026, 1, 4, 12, 0, 0, 0, zone)
	for want, at := range map[string]time.Time{
		"-":            {},
		"00:00:00":     time.Date(2026, 1, 3, 22, 0, 0, 0, time.UTC),
		"Jan  3 23:59": time.Date(2026, 1, 3, 21, 59, 59, 0, time.UTC),
		"2025-12-31":   time.Date(2025, 12, 31, 12, 0, 0, 0, time.UTC),
	} {
		if got := shortTime(at, now); got != want {
			t.Errorf("%v: %q; want %q", at, got, want)
		}
	}
}

func TestStyle(t *testing.T) {
	if got := red.in(screen{colored: true}, "dead"); got != "\x1b[31mdead\x1b[0m" {
		t.Errorf("%q", got)
	}
	for _, got := range []string{red.in(screen{width: 80}, "dead"), plain.in(screen{colored: true}, "dead")} {
		if got != "dead" {
			t.Errorf("%q", got)
		}
	}
	// A file or a pipe takes neither colors nor cuts.
	if got := screenOf(new(strings.Builder)); got != (screen{}) {
		t.Errorf("%+v", got)
	}
}
