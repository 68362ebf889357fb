package console

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

const (
	barWidth  = 3  // of a minute, in pixels
	barsUp    = 26 // the height of the bars above the line
	barsDown  = 10 // and of those below it
	plotWidth = 60 * barWidth
)

// plot draws the minutes of an hour: what went well as bars above a line, and what did
// not below it, so that the colours need not be told apart. good and bad name them. The
// line begins where a gateway that is younger than an hour began.
func plot(minutes []journal.Minute, began time.Time, good, bad string) template.HTML {
	var ok, failed, most int64
	for _, m := range minutes {
		ok, failed, most = ok+m.OK, failed+m.Bad, max(most, m.OK, m.Bad)
	}
	when, from := "In the last hour", 0
	for i, m := range minutes {
		if i < 60 && !m.Begin.Add(time.Minute).After(began) {
			when, from = "Since the gateway started", (i+1)*barWidth
		}
	}
	label := fmt.Sprintf("%s %s %s, %s %s", when, humanize.Comma(ok), good, humanize.Comma(failed), bad)
	if most > 0 {
		label += fmt.Sprintf("; at most %s in a minute", humanize.Comma(most))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="plot" role="img" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" aria-label="%[3]s"><title>%[3]s</title>`,
		plotWidth, barsUp+1+barsDown, template.HTMLEscapeString(label))
	fmt.Fprintf(&b, `<rect class="axis" x="%d" y="%d" width="%d" height="1"/>`, from, barsUp, plotWidth-from)
	for i, m := range minutes {
		if i >= 60 {
			break
		}
		if height := bar(m.OK, most, barsUp); height > 0 {
			fmt.Fprintf(&b, `<rect class="good" x="%d" y="%d" width="%d" height="%d"/>`, i*barWidth, barsUp-height, barWidth-1, height)
		}
		if height := bar(m.Bad, most, barsDown); height > 0 {
			fmt.Fprintf(&b, `<rect class="bad" x="%d" y="%d" width="%d" height="%d"/>`, i*barWidth, barsUp+1, barWidth-1, height)
		}
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

// bar returns the height of a bar. One thing that happened can be seen.
func bar(n, most int64, height int) int {
	if n <= 0 {
		return 0
	}
	return max(2, int(float64(n)/float64(most)*float64(height)+0.5))
}
