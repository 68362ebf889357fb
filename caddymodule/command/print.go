package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/dustin/go-humanize"
)

// pretty indents JSON, and returns any other text unchanged.
func pretty(body []byte) []byte {
	var indented bytes.Buffer
	if err := json.Indent(&indented, body, "", "  "); err != nil {
		return body
	}
	return indented.Bytes()
}

// compact removes the space between the tokens of JSON.
func compact(encoded []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, encoded) != nil {
		return encoded
	}
	return b.Bytes()
}

// maxCell is the maximum length of a text in a table, in characters.
const maxCell = 40

// row prints a line of a table about one thing, unless the text is empty.
func row(table io.Writer, name, text string) {
	if text != "" {
		fmt.Fprintf(table, "%s\t%s\n", name, printable(text))
	}
}

func timeText(t, now time.Time) string {
	return fmt.Sprintf("%s (%s ago)", t.UTC().Format(time.RFC3339), age(now.Sub(t)))
}

// age shortens a duration to its largest unit.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(d, 0)/time.Second) // clocks differ
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/day)
	}
}

// count returns a number and its noun.
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(n) + " " + many
}

// printJSON prints an answer of the API.
func printJSON(w io.Writer, answer []byte) error {
	_, err := fmt.Fprintln(w, printableLines(string(pretty(bytes.TrimSpace(answer)))))
	return err
}

// cell returns a text as a table shows it: printable, and cut when it is long.
func cell(s string) string {
	runes := []rune(printable(s))
	if len(runes) > maxCell {
		return string(runes[:maxCell-1]) + "…"
	}
	return string(runes)
}

// printableLines is printable for a text of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// printable escapes characters that could control a terminal, or reorder its text,
// as JSON does: JSON keeps its meaning.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}
