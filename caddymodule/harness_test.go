package caddymodule_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	_ "github.com/caddy-webhooks/caddy-webhooks/caddymodule"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// gatewayURL is where the sites of this process are.
var gatewayURL = "http://" + gatewayAddress

// signingKey is a Standard Webhooks key for `sign`.
var signingKey = "whsec_" + base64.StdEncoding.EncodeToString(randomBytes(32))

// leaks collects every secret, token and MAC of the whole suite, and all that
// must not hold one: TestMain compares both at the end.
var leaks struct {
	sync.Mutex
	secrets []string
	texts   map[string]string // by where it comes from
}

func noteSecret(secrets ...string) {
	leaks.Lock()
	defer leaks.Unlock()
	leaks.secrets = append(leaks.secrets, secrets...)
}

func noteText(where, text string) {
	leaks.Lock()
	defer leaks.Unlock()
	leaks.texts[where] += text
}

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

// quiet keeps Caddy's lines out of what the tests print: those of a configuration
// without a log, and those before the first configuration, go to a file too.
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

// showLog adds the end of a gateway's log to the messages of a test that has failed.
func showLog(t testing.TB, name, file string) {
	if !t.Failed() {
		return
	}
	t.Logf("the log of %s ends with:\n%s", name, logTail(file, 20))
}

// logTail returns the last lines of a log but those of requests to the admin
// endpoint, none of them longer than one can read.
func logTail(file string, n int) string {
	const longest = 400
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

// firstDifference returns the first line in which a text is not what is wanted.
func firstDifference(got, want string) string {
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := 0; ; i++ {
		switch {
		case i == len(gotLines) && i == len(wantLines):
			return "no difference"
		case i == len(gotLines):
			return fmt.Sprintf("line %d is missing:\nwant %s", i+1, wantLines[i])
		case i == len(wantLines):
			return fmt.Sprintf("line %d is too many:\ngot  %s", i+1, gotLines[i])
		case gotLines[i] != wantLines[i]:
			return fmt.Sprintf("line %d:\ngot  %s\nwant %s", i+1, gotLines[i], wantLines[i])
		}
	}
}

// checkLeaks looks for every secret of the suite in every log, error and adapted
// configuration of it.
func checkLeaks() error {
	logs, err := filepath.Glob(filepath.Join(logDir, "*.log"))
	if err != nil {
		return err
	}
	for _, file := range logs {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		noteText(filepath.Base(file), string(text))
	}
	for where, text := range leaks.texts {
		if i := findSecret(text); i >= 0 {
			return fmt.Errorf("in %s: …%s", where, strings.ReplaceAll(text[max(0, i-200):i], "\n", " "))
		}
	}
	return nil
}

// findSecret returns where a secret of the suite begins in text, or -1. It reads the
// text once: to look for each of a thousand secrets takes seconds.
func findSecret(text string) int {
	const n = 8 // what a secret is recognized by; the shorter ones are searched for
	byBeginning := make(map[[n]byte][]string)
	for _, secret := range leaks.secrets {
		if len(secret) < n {
			if i := strings.Index(text, secret); i >= 0 {
				return i
			}
			continue
		}
		byBeginning[[n]byte([]byte(secret))] = append(byBeginning[[n]byte([]byte(secret))], secret)
	}
	for i := 0; i+n <= len(text); i++ {
		for _, secret := range byBeginning[[n]byte([]byte(text[i:i+n]))] {
			if strings.HasPrefix(text[i:], secret) {
				return i
			}
		}
	}
	return -1
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// newSecret makes a secret.
func newSecret() string {
	secret := "sec-" + hex.EncodeToString(randomBytes(12))
	noteSecret(secret)
	return secret
}

// secretIn makes a secret and puts it into the environment variable name.
func secretIn(t testing.TB, name string) string {
	t.Helper()
	secret := newSecret()
	t.Setenv(name, secret)
	return secret
}

// documentedFilter is the log filter of README and Caddyfile.example.
const documentedFilter = `
		format filter {
			fields {
				request>uri query {
					delete token
				}
				request>headers>X-Notifly-Signature delete
				request>headers>Token delete
				request>headers>X-Wotnot-Token delete
				request>headers>X-Acme-Signature delete
				request>headers>Stripe-Signature delete
				request>headers>X-Slack-Signature delete
				request>headers>Authorization delete
				request>headers>X-Static delete
				request>headers>X-Other delete
			}
			wrap json
		}`

// gateway is the Caddy in this process with one configuration.
type gateway struct {
	t       testing.TB
	logFile string
	level   string
	site    string
	global  string
}

// start loads a configuration of one site; global goes into the global options.
func start(t testing.TB, site string, global ...string) *gateway {
	t.Helper()
	return startAt(t, "DEBUG", site, global...)
}

// startAt is start with a log level.
func startAt(t testing.TB, level, site string, global ...string) *gateway {
	t.Helper()
	name := strings.NewReplacer("/", "-", " ", "_").Replace(t.Name()) + "-" + hex.EncodeToString(randomBytes(3))
	g := &gateway{
		t:       t,
		logFile: filepath.Join(logDir, name+".log"),
		level:   level,
		site:    site,
		global:  strings.Join(global, "\n"),
	}
	t.Cleanup(func() { showLog(t, "Caddy", g.logFile) })
	t.Setenv("WEBHOOKS_TEST_SIGN", signingKey)
	// A source remembers across reloads: one without it forgets what the test
	// before has sent.
	loadNothing(t)
	g.load("")
	return g
}

// startNotifly starts a gateway that takes Notifly's events for app, with the
// secret in the environment variable SECRET.
func startNotifly(t testing.TB, app *application) *gateway {
	t.Helper()
	return start(t, fmt.Sprintf(`
	webhooks notifly {
		secret {env.SECRET}
	}
	%s
	`, app.proxy()))
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

// load loads the configuration, again; a comment that differs makes it another.
func (g *gateway) load(comment string) {
	g.t.Helper()
	config := g.config(comment)
	noteText("adapted configuration of "+g.t.Name(), string(adapt(g.t, config)))
	if status, text := loadConfig(g.t, config); status != 200 {
		g.t.Fatalf("the configuration does not load: %d %s", status, text)
	}
}

// loaded is when a configuration was loaded last.
var loaded time.Time

func (g *gateway) config(comment string) string {
	return fmt.Sprintf(`{
	skip_install_trust
	admin %s
	persist_config off
	grace_period 10s
	log {
		level %s
		output file %s {
			roll_disabled
		}
		%s
	}
	%s
}

%s {
	log
	vars comment "%s"
	%s
}
`, adminAddress, g.level, g.logFile, documentedFilter, g.global, gatewayURL, comment, g.site)
}

func adapt(t testing.TB, config string) []byte {
	t.Helper()
	adapted, err := adaptCaddyfile(config)
	if err != nil {
		t.Fatal(err)
	}
	return adapted
}

// logLines returns the log lines that contain all of the texts.
func (g *gateway) logLines(contain ...string) []string {
	g.t.Helper()
	text, err := os.ReadFile(g.logFile)
	if err != nil {
		g.t.Fatal(err)
	}
	var found []string
lines:
	for line := range strings.Lines(string(text)) {
		for _, part := range contain {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		found = append(found, line)
	}
	return found
}

// metric returns the value of a sample on the admin endpoint, "" if it is not
// there.
func metric(t testing.TB, sample string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+adminAddress+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(do(t, r).body) {
		if value, ok := strings.CutPrefix(line, sample+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// got is one request that an application got.
type got struct {
	Method, URI string
	Header      http.Header
	Body        []byte
	Length      int64
	Encoding    []string
}

// event is the body as far as tests look at it.
type event struct {
	ID, Source, Type, Subject, Time, Provider string
	PartitionKey                              string `json:"partitionkey"`
	ProviderType                              string `json:"providertype"`
	Data                                      map[string]json.RawMessage
}

func (g got) event(t testing.TB) event {
	t.Helper()
	var e event
	if err := json.Unmarshal(g.Body, &e); err != nil {
		t.Fatalf("not an envelope: %v\n%s", err, g.Body)
	}
	return e
}

// application is a real upstream server that keeps what it gets.
type application struct {
	*httptest.Server
	mu     sync.Mutex
	got    []got
	answer func(w http.ResponseWriter, r *http.Request, n int) // n counts from 1
}

// startApplication starts an application that answers 200, or as answer says.
func startApplication(t testing.TB, answer ...func(w http.ResponseWriter, r *http.Request, n int)) *application {
	a := new(application)
	if len(answer) > 0 {
		a.answer = answer[0]
	}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

// ServeHTTP keeps the request and answers it.
func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.got = append(a.got, got{r.Method, r.RequestURI, r.Header, body, r.ContentLength, r.TransferEncoding})
	n := len(a.got)
	a.mu.Unlock()
	if a.answer != nil {
		a.answer(w, r, n)
	}
}

// proxy is the directive that forwards to the application.
func (a *application) proxy() string {
	return "reverse_proxy " + strings.TrimPrefix(a.URL, "http://")
}

// requests returns what the application got.
func (a *application) requests() []got {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]got(nil), a.got...)
}

// want checks how many requests the application got, and returns them.
func (a *application) want(t testing.TB, n int) []got {
	t.Helper()
	requests := a.requests()
	if len(requests) != n {
		t.Fatalf("the application got %d requests, want %d", len(requests), n)
	}
	return requests
}

// answer is what a provider gets back.
type answer struct {
	status int
	header http.Header
	body   string
}

// client keeps connections alive, as providers do.
var client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}

// request makes a POST to the gateway.
func request(t testing.TB, path string, body []byte, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, gatewayURL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func do(t testing.TB, r *http.Request) answer {
	t.Helper()
	a, err := try(r)
	for n := 0; n < 3 && isReload(err) && r.GetBody != nil; n++ {
		r.Body, _ = r.GetBody()
		a, err = try(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// isReload reports whether an error comes of a reload just now: the connection
// was to a server that is being ended; see TestReload.
func isReload(err error) bool {
	return (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)) && time.Since(loaded) < 2*time.Second
}

// try is do for goroutines, which must not end the test.
func try(r *http.Request) (answer, error) {
	response, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body)}, err
}

func post(t testing.TB, path string, body []byte, headers ...string) answer {
	t.Helper()
	return do(t, request(t, path, body, headers...))
}

// wantStatus posts and checks the status; a refusal must not say why.
func wantStatus(t testing.TB, status int, path string, body []byte, headers ...string) answer {
	t.Helper()
	a := post(t, path, body, headers...)
	if a.status != status {
		t.Fatalf("POST %.60s: got %d %q, want %d", path, a.status, a.body, status)
	}
	if status >= 400 && status < 500 && a.body != "" {
		t.Fatalf("POST %.60s: a refusal says why: %q", path, a.body)
	}
	return a
}

// hexMAC is the HMAC-SHA256 of body in hex; it is a secret too.
func hexMAC(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	sum := hex.EncodeToString(mac.Sum(nil))
	noteSecret(sum)
	return sum
}

// payload returns the payload of a fixture.
func payload(t testing.TB, provider, event string) []byte {
	t.Helper()
	f, err := fixtures.Get(provider, event)
	if err != nil {
		t.Fatal(err)
	}
	return f.Payload
}

// notifly returns a Notifly payload with an id, and its header.
func notifly(secret, id string) (body []byte, header, signature string) {
	body = fmt.Appendf(nil, `{"id":%q,"type":"message.created","payload":{"id":"m-%s","conversation_id":"c-%s","message":"hi"}}`, id, id, id)
	return body, "X-Notifly-Signature", hexMAC(secret, body)
}

// verifySigned verifies what an application got with the official library.
func verifySigned(t testing.TB, g got, key string) {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := wh.Verify(g.Body, g.Header); err != nil {
		t.Fatal(err)
	}
}

// panicHandler is an application's handler that panics, once for each time that
// it is armed.
type panicHandler struct{}

func init() {
	caddy.RegisterModule(panicHandler{})
	httpcaddyfile.RegisterHandlerDirective("test_panic", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		return panicHandler{}, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_panic", httpcaddyfile.Before, "respond")
}

func (panicHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_panic", New: func() caddy.Module { return panicHandler{} }}
}

func (panicHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.URL.Query().Get("panic") != "" {
		panic("the application's handler panics")
	}
	return next.ServeHTTP(w, r)
}

var errNoAdapter = errors.New("no caddyfile adapter")
