package command

import (
	"fmt"
	"io"
	"strings"
)

// column is a column of a table.
type column struct {
	name string

	// least is the number of columns of the screen to which its cells may be cut. 0:
	// they are never cut.
	least int

	// rank is the order in which columns are left out on a narrow screen, from 1. 0: it
	// is always there.
	rank int
}

// styled is a cell.
type styled struct {
	text  string
	style emphasis
}

// tableRow is a row and the text below it, or a heading.
type tableRow struct {
	heading string // instead of cells
	cells   []styled
	below   string
}

// table prints rows in columns, fitted to the screen. Rows can come page by page.
type table struct {
	w       io.Writer
	screen  screen
	columns []column
	rows    []tableRow
	natural []int // the widths of all rows so far
	headed  bool  // whether the header is printed
}

// maxAligned is the maximum width of a column where lines are not cut. A longer cell
// shifts the rest of its line.
const maxAligned = 40

func newTable(w io.Writer, to screen, columns ...column) *table {
	t := &table{w: w, screen: to, columns: columns}
	for _, c := range columns {
		t.natural = append(t.natural, columnsOf(c.name))
	}
	return t
}

// add adds a row: a cell for each column, which need not be printable.
func (t *table) add(cells ...styled) {
	for i := range cells {
		cells[i].text = printable(cells[i].text)
		t.natural[i] = max(t.natural[i], min(columnsOf(cells[i].text), max(maxAligned, t.screen.width)))
	}
	t.rows = append(t.rows, tableRow{cells: cells})
}

// heading adds a line above the rows that follow.
func (t *table) heading(text string) { t.rows = append(t.rows, tableRow{heading: printable(text)}) }

// below adds a text below the last row. It is never cut.
func (t *table) below(text string) { t.rows[len(t.rows)-1].below = printable(text) }

// flush prints the rows that were added.
func (t *table) flush() error {
	widths := t.fit()
	var b strings.Builder
	if !t.headed {
		header := make([]styled, len(t.columns))
		for i, c := range t.columns {
			header[i].text = c.name
		}
		t.line(&b, header, widths)
		t.headed = true
	}
	for _, row := range t.rows {
		if row.heading != "" {
			b.WriteString("\n" + row.heading + "\n")
			continue
		}
		t.line(&b, row.cells, widths)
		if row.below != "" {
			b.WriteString("    " + row.below + "\n")
		}
	}
	t.rows = t.rows[:0]
	_, err := io.WriteString(t.w, b.String())
	return err
}

// gap is the space between two columns.
const gap = "  "

// line prints a row. A width of 0 leaves a column out.
func (t *table) line(b *strings.Builder, row []styled, widths []int) {
	var line strings.Builder
	end := 0 // of the line without trailing spaces
	for i, c := range row {
		if widths[i] == 0 {
			continue
		}
		if line.Len() > 0 {
			line.WriteString(gap)
		}
		text := c.text
		if t.screen.width > 0 && t.columns[i].least > 0 {
			text = cut(text, widths[i])
		}
		line.WriteString(c.style.in(t.screen, text))
		if text != "" {
			end = line.Len()
		}
		fmt.Fprintf(&line, "%*s", max(widths[i]-columnsOf(text), 0), "")
	}
	b.WriteString(line.String()[:end])
	b.WriteByte('\n')
}

// fit returns the widths of the columns: cut, and with some left out, if the screen is
// too narrow for all of them.
func (t *table) fit() []int {
	if t.screen.width == 0 {
		widths := make([]int, len(t.natural))
		for i, n := range t.natural {
			widths[i] = min(n, maxAligned)
		}
		return widths
	}
	for left := 0; ; left++ {
		widths, isLast := make([]int, len(t.natural)), true
		for i, c := range t.columns {
			if c.rank == 0 || c.rank > left {
				widths[i] = t.natural[i]
				isLast = isLast && c.rank == 0
			}
		}
		if t.shrink(widths) || isLast {
			return widths
		}
	}
}

// shrink cuts the widest columns until all fit, and reports whether they do.
func (t *table) shrink(widths []int) bool {
	over := -len(gap) - t.screen.width
	for _, n := range widths {
		if n > 0 {
			over += n + len(gap)
		}
	}
	for ; over > 0; over-- {
		widest := -1
		for i, c := range t.columns {
			if c.least > 0 && widths[i] > c.least && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return false
		}
		widths[widest]--
	}
	return true
}
