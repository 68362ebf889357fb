package console

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// functions are what templates call.
var functions = template.FuncMap{
	"asset": func(name string) string { return assetNames[name] },
	"trim":  strings.TrimSpace,
	"text":  func(s string) template.HTML { return isolated(s, maxText) },
	"long":  func(s string) template.HTML { return isolated(s, maxLong) },
	"clip":  func(s string) string { return clip(s, maxText) },
	"n":     func(n int64) string { return humanize.Comma(n) },
	"bytes": func(n int64) string { return humanize.IBytes(uint64(max(n, 0))) },
	"rate":  rate,
	"ms":    milliseconds,
	"span":  span,
	"moment": func(t time.Time) template.HTML {
		return moment(t, "second")
	},
	"clock":    func(t time.Time) template.HTML { return moment(t, "minute") },
	"plural":   plural,
	"headline": headline,
	"words":    func(code string) string { return strings.ReplaceAll(code, "_", " ") },
	"status":   status,
	"lines":    func(s string) template.HTML { return visible(clip(s, maxLong), true) },
	"int64":    func(n int) int64 { return int64(n) },

	"deliveries":    deliveriesOf,
	"moreThan":      moreThan,
	"deliveryState": func(s queue.State) state { return deliveryState(s) },
	"directState":   directState,
	"outcomeState":  outcomeState,
	"events":        func(root string, all []journal.Event) rows { return rows{root, all} },
}

// rows are events in a table.
type rows struct {
	Root   string
	Events []journal.Event
}

var assetNames = map[string]string{"style": styleSheet.name, "script": script.name, "icon": icon.name}

// The maximum number of characters shown of a field: in a list, and on a page of its own.
const (
	maxText = 120
	maxLong = 2000
)

// clip shortens a text to n characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	i := 0
	for range n {
		_, size := utf8.DecodeRuneInString(s[i:])
		if i += size; i >= len(s) {
			return s
		}
	}
	return s[:i] + "…"
}

// isolated returns a text that cannot change the direction of what surrounds it.
func isolated(s string, n int) template.HTML {
	return "<bdi>" + visible(clip(s, n), false) + "</bdi>"
}

// visible escapes a text, and shows characters that have no shape, or change that of
// others, by their numbers.
func visible(s string, keepLines bool) template.HTML {
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	plain := 0 // where the text begins that is yet to be written
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		isBroken := r == utf8.RuneError && size == 1
		if isBroken || isOdd(r) && (!keepLines || r != '\n' && r != '\t') {
			b.WriteString(template.HTMLEscapeString(s[plain:i]))
			if isBroken {
				fmt.Fprintf(&b, `<span class="odd">\x%02X</span>`, s[i])
			} else {
				fmt.Fprintf(&b, `<span class="odd">U+%04X</span>`, r)
			}
			plain = i + size
		}
		i += size
	}
	b.WriteString(template.HTMLEscapeString(s[plain:]))
	return template.HTML(b.String())
}

// isOdd reports whether a character has no shape of its own. The joiners stay: letters
// and emoji are made with them.
func isOdd(r rune) bool {
	if r == '\u200c' || r == '\u200d' {
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// moment returns a time in UTC, which the script shows in the reader's zone.
func moment(t time.Time, precision string) template.HTML {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	shown := t.Format("2 Jan 15:04:05 UTC")
	if precision == "minute" {
		shown = t.Format("2 Jan 15:04 UTC")
	}
	exact := t.Format("2006-01-02T15:04:05.000Z")
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s" data-precision="%s">%s</time>`, exact, exact, precision, shown))
}

// span returns a duration in words.
func span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Second:
		return milliseconds(float64(d) / float64(time.Millisecond))
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		hours, minutes := int(d.Hours()), int(d.Minutes())%60
		if minutes == 0 || hours >= 10 {
			return fmt.Sprintf("%d h", hours)
		}
		return fmt.Sprintf("%d h %d min", hours, minutes)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// milliseconds returns a number of them with two digits, and the unit.
func milliseconds(ms float64) string {
	switch {
	case ms >= 9950:
		return fmt.Sprintf("%.0f s", ms/1000)
	case ms >= 995:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 9.95:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f ms", ms)
}

// rate returns a number per unit of time, as precise as it needs to be.
func rate(f float64) string {
	switch {
	case f == 0 || math.IsNaN(f):
		return "0"
	case f >= 10:
		return humanize.Comma(int64(math.Round(f)))
	case f >= 1:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

// plural returns a number with its noun, which gets an s.
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return humanize.Comma(n) + " " + noun + "s"
}

// status returns the status of an answer, or that there was none.
func status(code int) string {
	if code == 0 {
		return "no answer"
	}
	return strconv.Itoa(code)
}
