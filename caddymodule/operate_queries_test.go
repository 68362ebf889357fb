package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// query is an expression of PromQL in the dashboard or the rules, and what shows its
// result.
type query struct {
	place string
	expr  string
	shown string // the text in which labels of the result stand
}

var (
	// A rule ends where the next one begins.
	ruleStart = regexp.MustCompile(`(?m)^ +- alert: (\w+)$`)
	ruleExpr  = regexp.MustCompile(`(?s)\n +expr: (?:>-\n)?(.*?)\n +for:`)
)

// queries returns all expressions, those of the dashboard with a value for each variable.
func queries(t *testing.T) []query {
	t.Helper()
	var all []query
	variables := strings.NewReplacer("$job", ".*", "$provider", ".*", "$destination", ".*", "$__rate_interval", "5m")
	d := readDashboard(t)
	for _, v := range d.Templating.List {
		if series, label, ok := strings.Cut(strings.TrimPrefix(v.Definition, "label_values("), ", "+v.Name+")"); ok && label == "" {
			all = append(all, query{"variable " + v.Name, variables.Replace("group by (" + v.Name + ") (" + series + ")"), ""})
		} else if v.Type == "query" {
			t.Errorf("variable %s is %s", v.Name, v.Definition)
		}
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all = append(all, query{"panel " + p.Title, variables.Replace(target.Expr), target.LegendFormat})
		}
	}
	text, err := os.ReadFile(filepath.Join(operateDir, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	starts := ruleStart.FindAllSubmatchIndex(text, -1)
	for i, start := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		rule, name := string(text[start[0]:end]), string(text[start[2]:start[3]])
		expr := ruleExpr.FindStringSubmatch(rule)
		if expr == nil {
			t.Fatalf("no expression in the rule %s", name)
		}
		all = append(all, query{"alert " + name, expr[1], rule})
	}
	if len(starts) == 0 || len(all) < 30 {
		t.Fatalf("only %d queries, %d of them of alerts", len(all), len(starts))
	}
	return all
}

// TestQueriesParse lets Prometheus parse the dashboard's queries.
func TestQueriesParse(t *testing.T) {
	tool := promtool(t)
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	for i, q := range queries(t) {
		fmt.Fprintf(&rules, "      - record: query_%d\n        expr: %s\n", i, mustJSON(t, strings.Join(strings.Fields(q.expr), " ")))
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// mustJSON returns a value in JSON, which is YAML, too.
func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
