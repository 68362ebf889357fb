package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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

// TestQueriesFindMetrics shows that every metric, label and value that dashboard and
// alerts name is exported by a gateway that has seen everything they ask about.
func TestQueriesFindMetrics(t *testing.T) {
	exported := scrapeAfterTraffic(t)
	used := make(map[string]bool)
	for _, q := range queries(t) {
		for _, name := range exported.check(t, q) {
			used[name] = true
		}
	}
	for name := range exported {
		if base := baseName(name); strings.HasPrefix(name, "caddy_webhooks_") && !used[base] {
			t.Errorf("neither dashboard nor alerts use %s", base)
			used[base] = true
		}
	}
}

// metrics are the values of each label of each metric of a scrape.
type metrics map[string]map[string][]string

var (
	sampleLine  = regexp.MustCompile(`^(\w+)(?:\{(.*)\})? \S+$`)
	sampleLabel = regexp.MustCompile(`(\w+)="([^"]*)"`)
	metricName  = regexp.MustCompile(`\b(caddy_\w+)(?:\{([^}]*)\})?`)
	matcher     = regexp.MustCompile(`(\w+) *(?:=~|!~|!=|=) *"([^"]*)"`)
	grouping    = regexp.MustCompile(`\b(?:by|on|without|ignoring) *\(([^)]*)\)`)
	shownLabel  = regexp.MustCompile(`\{\{ *(?:\$labels\.)?(\w+) *\}\}`)
	word        = regexp.MustCompile(`^\w+$`)
)

func parseMetrics(text string) metrics {
	all := make(metrics)
	for line := range strings.Lines(text) {
		parts := sampleLine.FindStringSubmatch(strings.TrimSpace(line))
		if parts == nil {
			continue
		}
		// Prometheus adds these.
		labels := all[parts[1]]
		if labels == nil {
			labels = map[string][]string{"job": nil, "instance": nil}
			all[parts[1]] = labels
		}
		for _, label := range sampleLabel.FindAllStringSubmatch(parts[2], -1) {
			labels[label[1]] = append(labels[label[1]], label[2])
		}
	}
	return all
}

// baseName returns the name of a metric without what a histogram adds to it.
func baseName(name string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			return base
		}
	}
	return name
}

// check checks one query, and returns the metrics that it uses.
func (m metrics) check(t *testing.T, q query) (used []string) {
	t.Helper()
	grouped := make(map[string]bool)
	for _, match := range metricName.FindAllStringSubmatch(q.expr, -1) {
		name := match[1]
		labels, ok := m[name]
		if !ok {
			t.Errorf("%s: no metric %s", q.place, name)
			continue
		}
		used = append(used, baseName(name))
		for _, condition := range matcher.FindAllStringSubmatch(match[2], -1) {
			values, ok := labels[condition[1]]
			if !ok {
				t.Errorf("%s: %s has no label %s", q.place, name, condition[1])
			}
			for value := range strings.SplitSeq(condition[2], "|") {
				if word.MatchString(value) && !slices.Contains(values, value) {
					t.Errorf("%s: %s has no %s=%q", q.place, name, condition[1], value)
				}
			}
		}
		for _, list := range grouping.FindAllStringSubmatch(q.expr, -1) {
			for label := range strings.SplitSeq(list[1], ",") {
				label = strings.TrimSpace(label)
				grouped[label] = true
				if _, ok := labels[label]; !ok {
					t.Errorf("%s: %s has no label %s", q.place, name, label)
				}
			}
		}
	}
	for _, shown := range shownLabel.FindAllStringSubmatch(q.shown, -1) {
		if !grouped[shown[1]] {
			t.Errorf("%s shows the label %s, which its result lacks", q.place, shown[1])
		}
	}
	return used
}

// scrapeAfterTraffic returns what a gateway exports after traffic of every kind.
func scrapeAfterTraffic(t *testing.T) metrics {
	t.Helper()
	secret, token := secretIn(t, "SECRET"), secretIn(t, "TOKEN")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.URL.Path == "/fails" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	start(t, fmt.Sprintf(`
	handle /durable {
		webhooks notifly {
			secret {env.SECRET}
			destination crm {
				types message.*
				to {
					%[1]s
				}
			}
			destination fails {
				types message.*
				attempts 2
				backoff 10ms 10ms
				to {
					rewrite * /fails
					%[1]s
				}
			}
		}
	}
	handle {
		webhooks wotnot {
			token {env.TOKEN}
		}
		%[1]s
	}`, app.proxy()), ownQueue(t, "retention 7d 1MiB"))

	durable := func(status int, body string) {
		t.Helper()
		wantStatus(t, status, "/durable", []byte(body), "X-Notifly-Signature", hexMAC(secret, []byte(body)))
	}
	const message = `{"id":%q,"type":%q,"payload":{"id":"m","conversation_id":"c","message":%q}}`
	durable(200, fmt.Sprintf(message, "1", "message.created", "hi"))
	durable(200, fmt.Sprintf(message, "1", "message.created", "hi"))                                      // a duplicate
	durable(200, fmt.Sprintf(message, "2", "conversation.created", "hi"))                                 // unrouted
	durable(200, `{"type":"message.created","payload":{"id":"m","conversation_id":"c","message":"bye"}}`) // without an id
	waitFor(t, func() bool {
		return deliveries(t, "fails", "dead_letter") == 2 && deliveries(t, "crm", "delivered") == 2
	})
	wantStatus(t, 401, "/durable", []byte(`{}`), "X-Notifly-Signature", "00")

	wantStatus(t, 200, "/", batch("1:hi"), "token", token)
	wantStatus(t, 200, "/", []byte(`{}`), "token", token) // a handshake
	wantStatus(t, 500, "/fails", batch("2:hi"), "token", token)

	full := false
	for n := 0; !full && n < 100; n++ { // dead letters are not delivered, and fill the queue
		body := fmt.Appendf(nil, message, fmt.Sprint("f", n), "message.created", strings.Repeat("x", 200_000))
		full = post(t, "/durable", body, "X-Notifly-Signature", hexMAC(secret, body)).status == http.StatusServiceUnavailable
	}
	if !full {
		t.Fatal("the queue takes everything")
	}
	r, err := http.NewRequest(http.MethodGet, "http://"+adminAddress+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return parseMetrics(do(t, r).body)
}
