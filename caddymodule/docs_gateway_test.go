package caddymodule_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// docPatience is how long what a page starts may take to answer.
const docPatience = 60 * time.Second

// reader follows the pages, with an environment of its own, and the gateway that the
// README starts.
type reader struct {
	*docs
	t       *testing.T
	dir     string
	env     []string
	gateway *exec.Cmd // nil before it is started

	// replace has the addresses of the pages, and those that the system chose.
	replace *strings.Replacer
	admin   string
}

func newReader(t *testing.T, d *docs) *reader {
	t.Helper()
	dir := t.TempDir()
	return &reader{docs: d, t: t, dir: dir, env: []string{"XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}}
}

// ownWarning matches a line of the log in which this module warns.
var ownWarning = regexp.MustCompile(`"level":"warn",[^\n]*"logger":"webhooks`)

// start starts the gateway as the README does, at other addresses.
func (r *reader) start(b docBlock, args []string) {
	r.t.Helper()
	if r.gateway != nil {
		return // a page that starts it too
	}
	const attempts = 5
	for attempt := 1; ; attempt++ {
		r.chooseAddresses()
		r.copyExample()
		cmd, output := startProgram(r.t, r.env, r.docs.caddy, r.replaced(args)...)
		exited := make(chan error, 1)
		go func() { exited <- cmd.Wait() }()
		if waitUntilAnswered("http://"+r.admin+"/webhooks/ready", http.StatusOK, exited) {
			r.gateway = cmd
			if ownWarning.MatchString(output.String()) {
				r.t.Errorf("%s: the gateway warns:\n%s", b, output)
			}
			r.t.Cleanup(func() {
				if r.t.Failed() {
					r.t.Logf("the gateway of %s:\n%s", b, output)
				}
			})
			return
		}
		_ = cmd.Process.Kill() // it may have ended
		// Another process may have taken a port in between.
		if attempt == attempts || !strings.Contains(output.String(), "address already in use") {
			r.t.Fatalf("%s: the gateway does not start:\n%s", b, output)
		}
	}
}

// chooseAddresses replaces those of the pages by free ones.
func (r *reader) chooseAddresses() {
	r.t.Helper()
	gateway, application := openAddress(r.t), openAddress(r.t)
	r.admin = openAddress(r.t)
	_, port, _ := net.SplitHostPort(gateway)
	r.replace = strings.NewReplacer(
		"http_port 8080", "admin "+r.admin+"\n\tpersist_config off\n\thttp_port "+port,
		"localhost:8080", gateway,
		"localhost:8081", application,
		"localhost:2019", r.admin,
		"Caddyfile.example", filepath.Join(r.dir, "Caddyfile.example"),
	)
}

// copyExample writes Caddyfile.example with the addresses that were chosen.
func (r *reader) copyExample() {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "Caddyfile.example"))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "Caddyfile.example"), []byte(r.replace.Replace(string(text))), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reader) replaced(args []string) []string {
	replaced := make([]string, len(args))
	for i, arg := range args {
		replaced[i] = arg
		if r.replace != nil {
			replaced[i] = r.replace.Replace(arg)
		}
	}
	return replaced
}

// runToEnd runs a command that ends, at the reader's gateway if it asks for one.
func (r *reader) runToEnd(b docBlock, args []string) {
	r.t.Helper()
	replaced := r.replaced(args)
	if args[0] == "webhooks" && r.gateway != nil {
		help, _ := r.docs.run(r.t, nil, "webhooks", args[1], "--help")
		if strings.Contains(help, " --address ") && !strings.Contains(strings.Join(args, " "), "--address") {
			replaced = append(replaced, "--address", r.admin)
		}
	}
	if out, err := r.docs.run(r.t, r.env, replaced...); err != nil {
		r.t.Errorf("%s: caddy %s: %v\n%s", b, strings.Join(args, " "), err, out)
	}
}

// openAddress returns a loopback address with a port that the system chose.
func openAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// waitUntilAnswered waits until a URL is answered with a status; false if the
// program behind it exits, or takes too long.
func waitUntilAnswered(url string, status int, exited <-chan error) bool {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	tooLate := time.After(docPatience)
	for {
		response, err := http.Get(url)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == status {
				return true
			}
		}
		select {
		case <-exited:
			return false
		case <-tooLate:
			return false
		case <-look.C:
		}
	}
}

// lockedBuffer is a buffer for the output of a program that still runs.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// Write adds to the buffer.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

// String returns what was written.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// checkReceiver builds and runs a program of a page, and sends it an event that is
// signed, and one that is not.
func checkReceiver(t *testing.T, b docBlock) {
	t.Helper()
	dir, address := t.TempDir(), openAddress(t)
	source := strings.ReplaceAll(b.text, "localhost:3000", address)
	if source == b.text {
		t.Fatalf("%s does not listen at localhost:3000", b)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "receiver")
	cmd := exec.Command("go", "build", "-race=false", "-o", program, filepath.Join(dir, "main.go"))
	cmd.Dir = repository
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", b, err, out)
	}
	running, output := startProgram(t, []string{"INGRESS_SIGNING_KEY=" + documentedKey}, program)
	exited := make(chan error, 1)
	go func() { exited <- running.Wait() }()
	if !waitUntilAnswered("http://"+address+"/", http.StatusMethodNotAllowed, exited) {
		t.Fatalf("%s does not listen: %s", b, output)
	}
	const body = `{"type":"message.created","subject":"conversations/1","data":{"message":{"text":"hello"}}}`
	if status := postEnvelope(t, "http://"+address+"/notifly", body, ""); status != http.StatusUnauthorized {
		t.Errorf("%s answers %d to an unsigned event", b, status)
	}
	if status := postEnvelope(t, "http://"+address+"/notifly", body, documentedKey); status != http.StatusOK {
		t.Errorf("%s answers %d to a signed event", b, status)
	}
	_ = running.Process.Kill() // its output is whole once it has ended
	<-exited
	if want := "message.created conversations/1 hello"; !strings.Contains(output.String(), want) {
		t.Errorf("%s prints %q, not %q", b, output, want)
	}
}

// postEnvelope posts an envelope as the gateway does, signed if there is a key.
func postEnvelope(t *testing.T, url, body, key string) (status int) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	const id = "msg_docs"
	now := time.Now()
	request.Header.Set("Webhook-Id", id)
	request.Header.Set("Webhook-Timestamp", fmt.Sprint(now.Unix()))
	if key != "" {
		request.Header.Set("Webhook-Signature", standardSignature(t, key, id, now, body))
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body) // the status is what counts
	return response.StatusCode
}

// standardSignature signs a body with the library of Standard Webhooks.
func standardSignature(t *testing.T, key, id string, at time.Time, body string) string {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(key)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := wh.Sign(id, at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return signature
}
