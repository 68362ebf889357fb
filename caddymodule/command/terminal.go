package command

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// screen is where a command prints. The zero value is a file or a pipe.
type screen struct {
	width   int  // of a line in columns; 0 if lines are not cut
	colored bool // whether it takes colors
}

// screenOf returns what is known about w.
func screenOf(w io.Writer) screen {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return screen{}
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		columns = 0
	}
	return screen{columns, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// narrower returns the screen for text that is indented by n columns.
func (s screen) narrower(n int) screen {
	if s.width > 0 {
		s.width = max(s.width-n, 1)
	}
	return s
}

// indented writes lines behind two spaces.
type indented struct{ w io.Writer }

// Write takes whole lines.
func (i indented) Write(lines []byte) (int, error) {
	for line := range bytes.Lines(lines) {
		if _, err := fmt.Fprintf(i.w, "  %s", line); err != nil {
			return 0, err
		}
	}
	return len(lines), nil
}

// emphasis is how a text is emphasized. It only repeats what the text says.
type emphasis string

const (
	plain  emphasis = ""
	red    emphasis = "\x1b[31m"
	yellow emphasis = "\x1b[33m"
)

// in returns a text in a style, if the screen takes colors.
func (s emphasis) in(to screen, text string) string {
	if s == plain || !to.colored || text == "" {
		return text
	}
	return string(s) + text + "\x1b[0m"
}

// columnsOf returns the number of columns that a printable text takes.
func columnsOf(text string) int {
	n := 0
	for _, r := range text {
		n += columnsOfRune(r)
	}
	return n
}

func columnsOfRune(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// cut shortens a printable text to at most n columns, the last of which shows that the
// rest is missing.
func cut(text string, n int) string {
	used, end := 0, 0
	for i, r := range text {
		used += columnsOfRune(r)
		if used < n {
			end = i + utf8.RuneLen(r)
		}
		if used > n {
			return text[:end] + "…"
		}
	}
	return text
}

// shortTime returns a time in the zone of now: without the date if that is today, and
// without the year if that is this one.
func shortTime(t, now time.Time) string {
	t = t.In(now.Location())
	year, day := now.Year(), now.YearDay()
	switch {
	case t.IsZero():
		return "-"
	case t.Year() == year && t.YearDay() == day:
		return t.Format(time.TimeOnly)
	case t.Year() == year:
		return t.Format("Jan _2 15:04")
	}
	return t.Format(time.DateOnly)
}
