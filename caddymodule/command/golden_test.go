package command

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the golden files")

// execute runs `caddy webhooks` in this process, and returns what it prints and
// its error.
func execute(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	caddy, cmd := &cobra.Command{Use: "caddy", SilenceUsage: true, SilenceErrors: true}, &cobra.Command{Use: "webhooks"}
	addCommands(cmd)
	caddy.AddCommand(cmd)
	var out, errs bytes.Buffer
	caddy.SetIn(strings.NewReader(stdin))
	caddy.SetOut(&out)
	caddy.SetErr(&errs)
	caddy.SetArgs(append([]string{"webhooks"}, args...))
	err = caddy.Execute()
	return out.String(), errs.String(), err
}

// TestMessages runs the commands in testdata/*.txt, and compares what they print
// with the files. A file has a command on each line that begins with `$ `, its
// output behind it, and its error behind `error: `.
func TestMessages(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) // as Caddy's empty 200
	defer site.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>OK</html>") }))
	defer page.Close()
	admin := httptest.NewServer(http.NotFoundHandler()) // as the admin endpoint of a Caddy without this module
	defer admin.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	listener.Close()
	address := func(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }
	resolve := []string{"SITE:80", address(site), "PAGE:80", address(page), "ADMIN:2019", address(admin), "NOBODY:2019", nobody}
	reverse := make([]string, len(resolve))
	for i := 0; i < len(resolve); i += 2 {
		reverse[i], reverse[i+1] = resolve[i+1], resolve[i]
	}

	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for line := range strings.Lines(string(want)) {
				command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ caddy webhooks ")
				if !ok {
					continue
				}
				args := strings.Fields(strings.NewReplacer(resolve...).Replace(command))
				stdout, stderr, err := execute(t, "", args...)
				fmt.Fprintf(&got, "$ caddy webhooks %s\n%s%s", command, stdout, stderr)
				if err != nil {
					fmt.Fprintf(&got, "error: %v\n", err)
				}
				got.WriteString("\n")
			}
			text := strings.NewReplacer(reverse...).Replace(got.String())
			if *update {
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if text != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", text, want)
			}
		})
	}
}
