package command

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

// TestCurlCommand runs the command in a shell: whatever the bytes are, they arrive, and
// the command itself is printable.
func TestCurlCommand(t *testing.T) {
	var every strings.Builder
	for b := range 256 {
		every.WriteByte(byte(b))
	}
	var body []byte
	var header http.Header
	var uri string
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		header, uri = r.Header, r.RequestURI
	}))
	defer application.Close()
	hasCurl := exec.Command("curl", "--version").Run() == nil
	for _, sent := range []string{
		"", "{}", `{"a":"it's \"$HOME\" ` + "`id`" + ` %s \n \\ 100%"}`, "-n", "--\x1b", "a\nb\r\n", "\\0", "9\x019",
		"\x1b]0;title\a\u202e\u009b", "ü你🎉\U000e0041", "\ufffd", every.String(), strings.Repeat("x'", 150_000) + "\x00",
	} {
		to := application.URL + "/a?b='c&d=$(id)"
		command := curlCommand(to, knownID, []byte(sent))
		if lines := strings.Split(command, "\n"); printableLines(command) != command || len(lines) != 5 {
			t.Errorf("%.50q: %d lines: %.200q", sent, len(lines), command)
		}
		print, _, _ := strings.Cut(command, " |\n")
		shell := exec.Command("sh")
		shell.Stdin = strings.NewReader(print)
		if got, err := shell.Output(); err != nil || string(got) != sent {
			t.Errorf("%.50q: sh prints %.100q, %v", sent, got, err)
		}
		if !hasCurl {
			continue
		}
		shell = exec.Command("sh")
		shell.Stdin = strings.NewReader(command)
		if out, err := shell.CombinedOutput(); err != nil || string(body) != sent || uri != "/a?b='c&d=$(id)" {
			t.Errorf("%.50q: %v %s: %s got %.100q", sent, err, out, uri, body)
		}
		want := fmt.Sprint([]string{knownID, "application/cloudevents+json; charset=utf-8"})
		if got := fmt.Sprint([]string{header.Get("webhook-id"), header.Get("content-type")}); got != want || len(header.Get("webhook-timestamp")) != 10 {
			t.Errorf("%v", header)
		}
	}
	if !hasCurl {
		t.Log("curl is missing: only what is piped to it was tested")
	}
}
