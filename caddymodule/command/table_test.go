package command

import (
	"strings"
	"testing"
)

// hostile is what a terminal must not get.
var hostile = "a\x1b[2J\u202eb\u2066\r\n" + strings.Repeat("x", 300_000)

func TestTableFits(t *testing.T) {
	rows := [][]string{
		{"12:00:00", "msg_qmg34d6hl7ceiilpask66mlmymhvjw2m", "notifly", "message.created", "conversations/xgQQXg3hrtjh7AvZ", "crm delivered, archive dead (503)"},
		{"Jan  3 23:59", "msg_qmg34d6hl7ceiilpask66mlmymhvjw2m", "你好", hostile, "", "unrouted"},
	}
	for _, c := range []struct {
		width int
		want  string // of the header
	}{
		{200, "WHEN ID PROVIDER TYPE SUBJECT OUTCOME"},
		{110, "WHEN ID PROVIDER TYPE SUBJECT OUTCOME"},
		{100, "WHEN ID PROVIDER TYPE OUTCOME"},
		{80, "WHEN ID TYPE OUTCOME"},
		{79, "WHEN ID TYPE OUTCOME"},
	} {
		var out strings.Builder
		events := newEventTable(adminClient{w: &out, screen: screen{width: c.width}})
		for _, row := range rows {
			cells := make([]styled, len(row))
			for i, text := range row {
				cells[i].text = text
			}
			events.add(cells...)
		}
		if err := events.flush(); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if got := strings.Join(strings.Fields(lines[0]), " "); len(lines) != 3 || got != c.want {
			t.Errorf("%d: %d lines below %q; want %q", c.width, len(lines)-1, got, c.want)
		}
		for _, line := range lines {
			if printable(line) != line || columnsOf(line) > c.width || strings.TrimRight(line, " ") != line {
				t.Errorf("%d: %d columns: %.200q", c.width, columnsOf(line), line)
			}
		}
	}
}

// A file gets whole texts, and a long one does not push all others aside.
func TestTableInFile(t *testing.T) {
	var out strings.Builder
	table := newTable(&out, screen{}, column{name: "A", least: 5}, column{name: "B", least: 5})
	table.add(styled{hostile, red}, styled{text: "1"})
	table.add(styled{text: "2"}, styled{text: "3"})
	if err := table.flush(); err != nil {
		t.Fatal(err)
	}
	table.add(styled{text: "4"}, styled{text: "5"})
	if err := table.flush(); err != nil {
		t.Fatal(err)
	}
	space := strings.Repeat(" ", maxAligned-1)
	want := "A" + space + "  B\n" + printable(hostile) + "  1\n2" + space + "  3\n4" + space + "  5\n"
	if out.String() != want {
		t.Errorf("%.300q", &out)
	}
}
