package caddymodule_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-webhooks/caddy-webhooks/caddymodule"
)

// logDir holds the logs of all gateways of the suite.
var logDir string

func TestMain(m *testing.M) {
	leaks.texts = make(map[string]string)
	noteSecret(signingKey)
	var err error
	if logDir, err = os.MkdirTemp("", "caddy-webhooks-test-"); err != nil {
		panic(err)
	}
	if err := quiet(); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := checkLeaks(); err != nil {
		fmt.Println("FAIL: a secret leaked:", err)
		code = 1
	}
	_ = os.RemoveAll(logDir)
	os.Exit(code)
}

// quiet sends to a file what Caddy logs before its first configuration, and with one
// that sets no log.
func quiet() error {
	file, err := os.Create(filepath.Join(logDir, "stderr.log"))
	if err != nil {
		return err
	}
	os.Stderr = file // Caddy opens its default log there
	log.SetOutput(file)
	caddy.BufferedLog()
	return nil
}

// showLog prints the end of a gateway's log if the test failed.
func showLog(t testing.TB, name, file string) {
	if !t.Failed() {
		return
	}
	t.Logf("the log of %s ends with:\n%s", name, logTail(file, 20))
}

// logTail returns the last n lines of a log, without requests to the admin endpoint.
func logTail(file string, n int) string {
	const longest = 400 // bytes of a line
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"logger":"admin.api"`) {
			continue
		}
		if len(line) > longest {
			line = line[:longest] + "…\n"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// receive waits for another goroutine, but not for ever.
func receive[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("it did not happen within 20 s")
		panic("unreachable")
	}
}

// waitFor waits for something that another goroutine brings about.
func waitFor(t testing.TB, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within 20 s")
		}
		time.Sleep(time.Millisecond)
	}
}

// waitLong is like waitFor for what takes longer. It looks less often, because that
// takes time from the children.
func waitLong(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(childPatience)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", childPatience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
