package caddymodule_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// notRun lists the commands that no test can run, by how they begin, with the
// reason. A command that is neither here nor among runners fails the test.
var notRun = []struct{ prefix, reason string }{
	{"go test ./...", "runs this test"},
	{"xcaddy ", "downloads Caddy and its modules; .ci/run builds as it does"},
	{"go install ", "downloads modules"},
	{"golangci-lint ", "may be missing; .ci/run runs it"},
	{".ci/run", "runs this test"},
	{"docker ", "needs Docker, and images from its registry"},
	{"systemctl ", "needs systemd"},
	{"sysctl ", "changes the machine"},
	{"git ", "depends on the state of the clone"},
	{"npm ", "downloads packages"},
	{"pip ", "downloads packages"},
	{"sqlite3 ", "may be missing"},
	{"pg_dump ", "needs two servers"},
	{"psql ", "needs a server"},
	{"openssl ", "may be missing; the tests make such keys with Go"},
	{"promtool ", "may be missing; TestAlertRules runs it"},
	{"curl ", "needs a state of the gateway; the tests of the admin API make these requests"},
	{"cp ", "copies files of the reader"},
	{"caddy webhooks explain notifly --request ", "is refused; the page's own TestReadme runs it"},
	{"$EDITOR ", "waits for the reader"},
}

// needsState matches commands that need more than a running gateway with the
// example config: events with certain ids, the API of a provider, a name that has
// left the config, files of the reader, a block of another provider. Of these, only the
// words are checked.
var needsState = regexp.MustCompile(`msg_|…|<[a-z]|\{file\.|--url |webhooks (subscriptions|forget|tail|demo --keep)|payload\.json|--config Caddyfile( |$)|-H `)

// testCommands runs every command of the pages, in the order in which they
// are there, as a reader would: the README starts a gateway, and all that follow
// use it.
func (d *docs) testCommands(t *testing.T) {
	session := newReader(t, d)
	for _, p := range d.pages {
		for _, b := range p.blocks {
			for _, command := range commandsOf(b) {
				session.follow(b, command)
			}
		}
	}
	if session.gateway == nil {
		t.Error("no page starts a gateway")
	}
}

// commandsOf returns the commands in a block: all of it, or in a console what
// comes after a prompt.
func commandsOf(b docBlock) []string {
	var commands []string
	for line := range strings.Lines(strings.ReplaceAll(b.text, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		switch b.language {
		case "console":
			command, ok := strings.CutPrefix(line, "$ ")
			if !ok {
				continue
			}
			line = command
		case "sh":
		default:
			return nil
		}
		if line != "" && !strings.HasPrefix(line, "#") {
			commands = append(commands, line)
		}
	}
	return commands
}

// follow runs a command, unless it is on the list of those that cannot be.
func (r *reader) follow(b docBlock, command string) {
	r.t.Helper()
	for _, known := range notRun {
		if strings.HasPrefix(command, known.prefix) {
			return
		}
	}
	for _, prefix := range []string{"go run ./cmd/caddy ", "caddy ", "./caddy "} {
		if args, ok := strings.CutPrefix(command, prefix); ok {
			r.followCaddy(b, args)
			return
		}
	}
	switch {
	case strings.HasPrefix(command, "export "):
		r.export(b, strings.TrimPrefix(command, "export "))
	case command == "go build ./cmd/caddy":
		// What the reader uses was built so.
	case strings.HasPrefix(command, "go test "):
		checkGoTest(r.t, b, strings.TrimPrefix(command, "go test "))
	default:
		r.t.Errorf("%s: no test runs %q; add how, or why not", b, command)
	}
}

// export sets variables as the shell does. openssl may be missing, so another
// random key takes the place of its.
func (r *reader) export(b docBlock, assignments string) {
	r.t.Helper()
	assignments = strings.ReplaceAll(assignments, "whsec_$(openssl rand -base64 32)", documentedKey)
	for assignment := range strings.FieldsSeq(assignments) {
		name, value, ok := strings.Cut(assignment, "=")
		if !ok || name == "" || strings.ContainsAny(value, "$`\"'") {
			r.t.Errorf("%s: cannot read %q", b, assignment)
		}
		r.env = append(r.env, assignment)
	}
}

// followCaddy runs one command of Caddy in the reader's place.
func (r *reader) followCaddy(b docBlock, line string) {
	r.t.Helper()
	args, err := splitWords(line)
	if err != nil {
		r.t.Errorf("%s: %v", b, err)
		return
	}
	r.checkWords(r.t, b.String(), line)
	switch {
	case args[0] == "run":
		r.start(b, args)
	case needsState.MatchString(line) || args[0] == "reload":
	default:
		r.runToEnd(b, args)
	}
}

// splitWords splits a command as a shell does; it knows single quotes, and refuses
// what else a shell would replace.
func splitWords(line string) ([]string, error) {
	var words []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		if strings.ContainsAny(part, "\"`$|;&<>") {
			return nil, errors.New("cannot split " + line)
		}
		words = append(words, strings.Fields(part)...)
	}
	return words, nil
}

var (
	wordOfCommand = regexp.MustCompile(`^[a-z]+$`)
	flagOfCommand = regexp.MustCompile(`(?:^|[\s\[(|])(--?[a-z][a-z-]*)`)
)

// checkWords checks that a command of Caddy's exists, and has the flags with which
// it is written: line is what comes after `caddy`.
func (d *docs) checkWords(t *testing.T, place, line string) {
	t.Helper()
	var words []string
	for word := range strings.FieldsSeq(line) {
		word, _, _ = strings.Cut(word, "|")
		if !wordOfCommand.MatchString(word) || len(words) == 3 {
			break
		}
		words = append(words, word)
	}
	help := ""
	for n := len(words); n > 0; n-- { // an argument may look like a word
		out, err := d.run(t, nil, append(words[:n:n], "--help")...)
		if err == nil && strings.Contains(out, "\n  caddy "+strings.Join(words[:n], " ")) {
			help = out
			break
		}
	}
	if help == "" || len(words) > 1 && words[0] == "webhooks" && !strings.Contains(help, "\n  caddy webhooks "+words[1]) {
		t.Errorf("%s: there is no command `caddy %s`", place, strings.Join(words, " "))
		return
	}
	for _, match := range flagOfCommand.FindAllStringSubmatch(line, -1) {
		if !regexp.MustCompile(`(?m)^ +(-[a-z], )?` + match[1] + `\b|^ +` + match[1] + `, `).MatchString(help) {
			t.Errorf("%s: `caddy %s` has no %s", place, line, match[1])
		}
	}
}

var inlineCommand = regexp.MustCompile("`caddy (webhooks [^`]*)`")

// testInlineCommands shows that the commands in the text of the pages, and of what
// Prometheus and Grafana show, exist with the flags that are named there.
func (d *docs) testInlineCommands(t *testing.T) {
	texts := slices.Clone(d.pages)
	for _, name := range []string{"alerts.yml", "dashboard.json"} {
		text, err := os.ReadFile(filepath.Join(operateDir, name))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, docPage{path: name, text: string(text)})
	}
	for _, p := range texts {
		for _, match := range inlineCommand.FindAllStringSubmatch(p.text, -1) {
			if line := strings.ReplaceAll(match[1], `\|`, "|"); !strings.Contains(line, "…") {
				d.checkWords(t, p.path, line)
			}
		}
	}
}

// checkGoTest checks that a `go test` finds what it names, without running it: the
// packages, a test or benchmark of each pattern, and flags of the package's own.
func checkGoTest(t *testing.T, b docBlock, line string) {
	t.Helper()
	args, err := splitWords(line)
	if err != nil {
		t.Errorf("%s: %v", b, err)
		return
	}
	var files []string
	for _, arg := range args {
		if strings.HasPrefix(arg, "./") {
			found, _ := filepath.Glob(filepath.Join(repository, arg, "*_test.go"))
			files = append(files, found...)
		}
	}
	var source strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	for i, arg := range args[1:] {
		name, isFlag := strings.CutPrefix(arg, "-")
		switch {
		case !isFlag, name == "v", name == "race", name == "benchtime", name == "count", name == "fuzztime":
			continue
		case name == "run" && args[i+2] == "^$":
			continue
		case name == "run", name == "bench", name == "fuzz":
			kind := map[string]string{"run": "Test", "bench": "Benchmark", "fuzz": "Fuzz"}[name]
			for pattern := range strings.SplitSeq(strings.Trim(args[i+2], "^$"), "|") {
				pattern, _, _ = strings.Cut(strings.TrimPrefix(pattern, kind), "/")
				if !regexp.MustCompile(`\nfunc ` + kind + `\w*` + pattern).MatchString(source.String()) {
					t.Errorf("%s: %s has no %s of the name %q", b, args[0], name, pattern)
				}
			}
		default:
			if !strings.Contains(source.String(), `("`+name+`"`) {
				t.Errorf("%s: the tests of %s have no flag %s", b, args[0], arg)
			}
		}
	}
}

// testGo shows that the program in the reference verifies what the gateway
// signs, and refuses anything else.
func (d *docs) testGo(t *testing.T) {
	programs := d.blocks("go")
	for _, b := range programs {
		checkReceiver(t, b)
	}
	if len(programs) == 0 {
		t.Error("no page has a program")
	}
}

// startProgram starts a program that ends with the test.
func startProgram(t *testing.T, env []string, path string, args ...string) (*exec.Cmd, *lockedBuffer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, args...)
	output := new(lockedBuffer)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, output
}
