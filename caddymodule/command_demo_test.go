package caddymodule_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestDemo shows that all steps of the demo pass, and that it has one for each
// provider that its configuration names.
func TestDemo(t *testing.T) {
	out, errs, ok := run(t, "", "demo", "--verbose")
	steps := strings.Count(out, "\nok  ")
	if !ok || steps < 22 || !strings.HasSuffix(out, fmt.Sprintf("\nAll %d steps passed.\n", steps)) || errs != "" {
		t.Fatalf("%s%s", out, errs)
	}
	for _, name := range demoProviders(t) {
		if !strings.Contains(out, "\nok    "+name+" ") {
			t.Errorf("no step of %s in:\n%s", name, out)
		}
	}
	for _, want := range []string{
		" duplicate ", " forgery ", " signed an hour ago ", "gateway  restarts", "all three delivered once", // the steps
		`"type": "message.created"`, "webhook-id: msg_", "webhook-attempt: ", // the envelopes
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "FAIL") {
		t.Error(out)
	}
}

// demoProviders returns the built-in providers that the demo's configuration names.
func demoProviders(t *testing.T) []string {
	t.Helper()
	config, err := os.ReadFile("command/demo/demo.caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`range providers((?: "[a-z0-9-]+")+)`).FindSubmatch(config)
	if list == nil {
		t.Fatal("it names no providers")
	}
	return strings.Fields(strings.ReplaceAll(string(list[1]), `"`, ""))
}

// TestDemoInReadme shows that the page of the commands has the output of the demo,
// but for the addresses.
func TestDemoInReadme(t *testing.T) {
	const file = "command/README.md"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(page), "$ caddy webhooks demo\n")
	_, after, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("it has no demo")
	}
	out, errs, ok := run(t, "", "demo")
	if !ok {
		t.Fatalf("%s%s", out, errs)
	}
	out = regexp.MustCompile(`(http://)?127\.0\.0\.1:\d+`).ReplaceAllString(out, "${1}127.0.0.1:12345")
	compareGolden(t, file, before+"$ caddy webhooks demo\n"+out+"```"+after)
}

// TestDemoKeep runs the command that `demo --keep` prints as another terminal
// would, and interrupts the demo.
func TestDemoKeep(t *testing.T) {
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	demo := exec.Command(path, "webhooks", "demo", "--keep")
	demo.Env = append(os.Environ(), "XDG_CONFIG_HOME="+t.TempDir(), "XDG_DATA_HOME="+t.TempDir())
	pipe, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = demo.Process.Kill() }) // if it fails before the interrupt
	command := ""
	for lines := bufio.NewScanner(pipe); command == "" && lines.Scan(); {
		command, _ = strings.CutPrefix(lines.Text(), "  caddy webhooks ")
		if command == lines.Text() {
			command = ""
		}
	}
	if command == "" {
		t.Fatal("it prints no command")
	}
	for range 2 { // the second is a duplicate
		out, errs, ok := run(t, "", strings.Fields(command)...)
		if !ok || !strings.HasPrefix(out, "200 OK\n") {
			t.Errorf("%s: %s%s", command, out, errs)
		}
	}
	if err := demo.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := demo.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
}
