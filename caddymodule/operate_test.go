package caddymodule_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// operateDir holds the dashboard and the alert rules.
const operateDir = "operate"

// promtool returns Prometheus' tool for rules. It skips the test where that is missing.
func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed: it checks the alert rules (Debian: apt-get install prometheus)")
	}
	return path
}

// TestAlertRules runs the tests of the alert rules.
func TestAlertRules(t *testing.T) {
	tool := promtool(t)
	for _, args := range [][]string{
		{"check", "rules", "--lint-fatal", "alerts.yml"},
		{"test", "rules", "alerts_test.yml", "alerts_silent_test.yml"},
	} {
		cmd := exec.Command(tool, args...)
		cmd.Dir = operateDir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// dashboard is the part of Grafana's dashboard that tests look at.
type dashboard struct {
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []panel
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Datasource               struct{ UID string }
	Targets                  []struct {
		Expr, LegendFormat string
		Datasource         struct{ UID string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(operateDir, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDashboard shows that each panel is Grafana's own, has a title, a description and a
// unit, reads the chosen data source, and covers no other.
func TestDashboard(t *testing.T) {
	builtIn := strings.Fields("row stat timeseries table")
	ids, cells := make(map[int]bool), make(map[[2]int]string)
	for _, p := range readDashboard(t).Panels {
		if ids[p.ID] || !slices.Contains(builtIn, p.Type) || p.Title == "" {
			t.Errorf("panel %d %q: its id comes twice, its type %s is not built in, or it has no title", p.ID, p.Title, p.Type)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, ok := cells[[2]int{x, y}]; ok || x >= 24 {
					t.Fatalf("panel %q is outside, or covers %q", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || p.FieldConfig.Defaults.Unit == "" && p.Type != "table" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("panel %q has no description, unit, data source or query", p.Title)
		}
		for _, target := range p.Targets {
			if target.Datasource.UID != "${datasource}" {
				t.Errorf("panel %q: a query has a data source of its own", p.Title)
			}
		}
	}
}
