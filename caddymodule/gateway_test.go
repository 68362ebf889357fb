package caddymodule_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

var recorded = regexp.MustCompile(`"recordedtime":"[^"]+"`)

// TestFixtures sends every fixture, proved as its provider proves it, and
// compares what the application gets with the golden envelope.
func TestFixtures(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /notifly notifly {
		secret {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	webhooks /wotnot wotnot {
		token {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	webhooks /chatbot chatbot {
		token {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	webhooks /ndoto ndoto {
		token {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	webhooks /oneroute oneroute {
		token {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	%s
	`, app.proxy()))
	all, err := fixtures.All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 52 {
		t.Errorf("%d fixtures, want 52", len(all))
	}
	for i, f := range all {
		t.Run(f.Provider+"/"+f.Event, func(t *testing.T) {
			path, headers := "/"+f.Provider, []string{"X-Notifly-Signature", hexMAC(secret, f.Payload)}
			if f.Provider != "notifly" {
				path += "?token=" + secret + "&kept=1"
				headers = nil
			}
			wantStatus(t, 200, path, f.Payload, headers...)
			sent := app.want(t, i+1)[i]
			checkForwarded(t, sent)
			checkGolden(t, f, sent.Body)
			if strings.Contains(fmt.Sprint(sent), secret) {
				t.Error("a credential was forwarded")
			}
		})
	}
}

// checkForwarded checks what holds for every request that carries an envelope.
func checkForwarded(t *testing.T, sent got) {
	t.Helper()
	if sent.Method != http.MethodPost || sent.Header.Get("Content-Type") != envelope.ContentType {
		t.Errorf("%s with %s", sent.Method, sent.Header.Get("Content-Type"))
	}
	if sent.Length != int64(len(sent.Body)) || sent.Encoding != nil {
		t.Errorf("length %d of %d, transfer encoding %v", sent.Length, len(sent.Body), sent.Encoding)
	}
	verifySigned(t, sent, signingKey)
	if id := sent.Header.Get("Webhook-Id"); !regexp.MustCompile(`^msg_[a-z2-7]{32}$`).MatchString(id) {
		t.Errorf("webhook-id %q", id)
	}
	e := cloudevents.NewEvent()
	if err := json.Unmarshal(sent.Body, &e); err != nil {
		t.Fatal(err)
	}
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
	checkSchema(t, sent.Body)
}

// checkGolden compares an envelope with the golden file beside the fixture.
func checkGolden(t *testing.T, f fixtures.Fixture, body []byte) {
	t.Helper()
	body = append(recorded.ReplaceAll(body, []byte(`"recordedtime":"2026-11-20T12:00:00.000000Z"`)), '\n')
	if *update {
		if err := os.WriteFile(filepath.Join("../fixtures", f.EnvelopePath()), body, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := f.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(body, want) {
		t.Error(firstDifference(string(body), string(want)))
	}
}

// TestAnswerPasses shows that a provider gets what the application answered.
func TestAnswerPasses(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		w.Header().Set("X-Application", "yes")
		w.WriteHeader([]int{http.StatusCreated, http.StatusTeapot}[(n-1)%2])
		fmt.Fprint(w, "as the application says")
	})
	start(t, fmt.Sprintf(`
	webhooks /notifly notifly {
		secret {env.SECRET}
	}
	webhooks /wotnot wotnot {
		token {env.SECRET}
	}
	%s
	`, app.proxy()))

	for i, status := range []int{http.StatusCreated, http.StatusTeapot} {
		body, header, signature := notifly(secret, fmt.Sprint(i))
		a := post(t, "/notifly", body, header, signature)
		if a.status != status || a.body != "as the application says" || a.header.Get("X-Application") != "yes" {
			t.Errorf("notifly: %+v", a)
		}
	}
	// WotNot reads its token, but only where the application accepted.
	a := post(t, "/wotnot", payload(t, "wotnot", "note"), "token", secret)
	if a.status != 200 || a.body != secret || a.header.Get("X-Application") != "" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Errorf("wotnot accepted: %d %v", a.status, a.header)
	}
	a = post(t, "/wotnot", payload(t, "wotnot", "status"), "token", secret)
	if a.status != http.StatusTeapot || a.body != "as the application says" || a.header.Get("X-Application") != "yes" {
		t.Errorf("wotnot refused: %+v", a)
	}
}

// TestDuplicate shows that an event that was accepted is not forwarded again.
func TestDuplicate(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /notifly notifly {
		secret {env.SECRET}
	}
	webhooks /wotnot wotnot {
		token {env.SECRET}
	}
	%s
	`, app.proxy()))
	body, header, signature := notifly(secret, "dup")
	for range 3 {
		wantStatus(t, 200, "/notifly", body, header, signature)
	}
	app.want(t, 1)
	if got := metric(t, `caddy_webhooks_events_total{outcome="duplicate",provider="notifly",type="message.created"}`); got != "2" {
		t.Errorf("%s duplicates counted", got)
	}

	// The same item in another batch is the same event, and its duplicate still
	// gets the token.
	item := payload(t, "wotnot", "note")
	wantStatus(t, 200, "/wotnot", item, "token", secret)
	other := bytes.Replace(item, []byte(`{"events": [`), []byte(`{"events":[{"event":{"type":"note"}}, `), 1)
	if a := wantStatus(t, 200, "/wotnot", other, "token", secret); a.body != secret {
		t.Error("no token back")
	}
	app.want(t, 3)
	if a := wantStatus(t, 200, "/wotnot", other, "token", secret); a.body != secret {
		t.Error("no token back for a duplicate")
	}
	app.want(t, 3)
}

// TestDedupOff shows that nothing is remembered when that is said.
func TestDedupOff(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks notifly {
		secret {env.SECRET}
		dedup off
	}
	%s
	`, app.proxy()))
	body, header, signature := notifly(secret, "off")
	wantStatus(t, 200, "/", body, header, signature)
	wantStatus(t, 200, "/", body, header, signature)
	app.want(t, 2)
}

// TestUpstreamFails shows that an event that the application did not accept is
// not remembered: the provider's retry gets through.
func TestUpstreamFails(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	g := startNotifly(t, app)
	body, header, signature := notifly(secret, "fails")
	wantStatus(t, 503, "/", body, header, signature)
	wantStatus(t, 200, "/", body, header, signature)
	wantStatus(t, 200, "/", body, header, signature)
	app.want(t, 2)
	if len(g.logLines("webhook refused", `"reason":"upstream"`, `"status":503`)) != 1 {
		t.Error("the failure is not in the log")
	}

	app.Close()
	body, header, signature = notifly(secret, "down")
	if a := post(t, "/", body, header, signature); a.status != 502 {
		t.Errorf("the application is down: %d", a.status)
	}
}

// TestNothingAnswers shows that what no handler answered is no success.
func TestNothingAnswers(t *testing.T) {
	secret := secretIn(t, "SECRET")
	start(t, `
	webhooks notifly {
		secret {env.SECRET}
	}
	`)
	body, header, signature := notifly(secret, "none")
	wantStatus(t, 502, "/", body, header, signature)
}

// TestPanic shows that a panic of the application's handler frees the event.
func TestPanic(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks notifly {
		secret {env.SECRET}
	}
	test_panic
	%s
	`, app.proxy()))
	body, header, signature := notifly(secret, "panic")
	if _, err := try(request(t, "/?panic=1", body, header, signature)); err == nil {
		t.Error("a panic was answered")
	}
	wantStatus(t, 200, "/", body, header, signature)
	app.want(t, 1)
}

// TestClientLeaves shows that a client that goes away before the application
// answered does not make its event accepted.
func TestClientLeaves(t *testing.T) {
	secret := secretIn(t, "SECRET")
	reached, left := make(chan struct{}, 1), make(chan struct{})
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			reached <- struct{}{}
			<-r.Context().Done()
			close(left)
		}
	})
	startNotifly(t, app)
	body, header, signature := notifly(secret, "leaves")
	ctx, leave := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = try(request(t, "/", body, header, signature).WithContext(ctx))
	}()
	receive(t, reached)
	leave()
	receive(t, done)
	receive(t, left)
	wantStatus(t, 200, "/", body, header, signature)
	app.want(t, 2)
}

// TestConcurrentCopies shows that of fifty copies of one event at once, one is
// forwarded, and all are told so.
func TestConcurrentCopies(t *testing.T) {
	secret := secretIn(t, "SECRET")
	release := make(chan struct{})
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) { <-release })
	startNotifly(t, app)
	body, header, signature := notifly(secret, "copies")
	var wg sync.WaitGroup
	var accepted atomic.Int32
	for range 50 {
		wg.Go(func() {
			if a, err := try(request(t, "/", body, header, signature)); err == nil && a.status == 200 {
				accepted.Add(1)
			}
		})
	}
	waitFor(t, func() bool { return len(app.requests()) == 1 })
	close(release)
	wg.Wait()
	if accepted.Load() != 50 {
		t.Errorf("%d of 50 were answered 200", accepted.Load())
	}
	app.want(t, 1)
}

// TestWaiterTakesPlace shows that when the first of several copies fails, one of
// the others takes its place.
func TestWaiterTakesPlace(t *testing.T) {
	secret := secretIn(t, "SECRET")
	release := make(chan struct{})
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			<-release
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	startNotifly(t, app)
	body, header, signature := notifly(secret, "takes-place")
	const copies = 10
	statuses := make(chan int, copies)
	send := func() {
		a, _ := try(request(t, "/", body, header, signature))
		statuses <- a.status
	}
	go send()
	waitFor(t, func() bool { return len(app.requests()) == 1 })
	for range copies - 1 {
		go send()
	}
	close(release)
	count := make(map[int]int)
	for range copies {
		count[receive(t, statuses)]++
	}
	if count[500] != 1 || count[200] != copies-1 {
		t.Errorf("answers by status: %v, want one 500 and the others 200", count)
	}
	app.want(t, 2)
}

// TestTooManyWaiters shows that a duplicate that may not wait gets a 503, and
// never a success.
func TestTooManyWaiters(t *testing.T) {
	secret := secretIn(t, "SECRET")
	release := make(chan struct{})
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) { <-release })
	startNotifly(t, app)
	body, header, signature := notifly(secret, "crowd")
	var wg sync.WaitGroup
	var accepted, busy atomic.Int32
	for range 70 {
		wg.Go(func() {
			a, err := try(request(t, "/", body, header, signature))
			switch {
			case err == nil && a.status == 200:
				accepted.Add(1)
			case err == nil && a.status == 503 && a.header.Get("Retry-After") != "":
				busy.Add(1)
			}
		})
	}
	waitFor(t, func() bool { return busy.Load() == 5 }) // 1 forwarded, 64 wait
	close(release)
	wg.Wait()
	if accepted.Load() != 65 || busy.Load() != 5 {
		t.Errorf("%d answered 200, %d answered 503", accepted.Load(), busy.Load())
	}
	app.want(t, 1)
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

// batch makes a WotNot batch of items, each of a conversation.
func batch(items ...string) []byte {
	var events []string
	for _, item := range items {
		conversation, text, _ := strings.Cut(item, ":")
		events = append(events, fmt.Sprintf(
			`{"event":{"type":"message","payload":{"message":{"type":"text","text":%q}}},"conversation":{"id":%s}}`, text, conversation))
	}
	return []byte(`{"events":[` + strings.Join(events, ",") + `]}`)
}

// texts are the message texts of what an application got.
func texts(t testing.TB, requests []got) string {
	t.Helper()
	var all []string
	for _, r := range requests {
		var message struct{ Text string }
		if err := json.Unmarshal(r.event(t).Data["message"], &message); err != nil {
			t.Fatal(err)
		}
		all = append(all, message.Text)
	}
	return strings.Join(all, " ")
}

// TestBatch shows that a batch is split in order, that after a failed event the
// others go on except those of its partition key, and that the retry delivers
// only what is missing.
func TestBatch(t *testing.T) {
	secret := secretIn(t, "SECRET")
	var fail atomic.Bool
	app := startApplication(t, nil)
	app.answer = func(w http.ResponseWriter, r *http.Request, n int) {
		if fail.Load() && strings.Contains(texts(t, app.requests()[n-1:]), "bad") {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
	// Two groups of routes behind it: each event must pass both anew.
	start(t, fmt.Sprintf(`
	webhooks wotnot {
		token {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	@never header X-Never *
	handle @never {
		respond 500
	}
	handle {
		uri strip_prefix /in
		%s
	}
	`, app.proxy()))

	fail.Store(true)
	body := batch("1:a", "2:bad", "3:c", "2:later")
	if a := post(t, "/in/x?token="+secret, body); a.status != 502 || strings.Contains(a.body, secret) {
		t.Fatalf("a batch with a failed event: %d", a.status)
	}
	if got := texts(t, app.requests()); got != "a bad c" {
		t.Fatalf("forwarded %q", got)
	}
	for _, r := range app.requests() {
		if r.URI != "/x" {
			t.Errorf("URI %q: what a handler did to one event reached the next", r.URI)
		}
		checkForwarded(t, r)
	}
	fail.Store(false)
	if a := wantStatus(t, 200, "/in/x?token="+secret, body); a.body != secret {
		t.Error("no token back")
	}
	if got := texts(t, app.requests()[3:]); got != "bad later" {
		t.Fatalf("the retry forwarded %q", got)
	}
	wantStatus(t, 200, "/in/x?token="+secret, body)
	app.want(t, 5)

	// The same event twice in one request is one event.
	wantStatus(t, 200, "/in/x?token="+secret, batch("4:twice", "4:twice"))
	app.want(t, 6)
}

// TestPlaceholders shows them to the handlers after webhooks and to the log.
func TestPlaceholders(t *testing.T) {
	secret := secretIn(t, "SECRET")
	g := start(t, `
	log_append outcome {http.webhooks.outcome}
	webhooks /wotnot wotnot {
		token {env.SECRET}
		dedup off
	}
	webhooks notifly {
		secret {env.SECRET}
	}
	respond "{http.webhooks.provider} {http.webhooks.id} {http.webhooks.type} {http.webhooks.subject}"
	`)
	body, header, signature := notifly(secret, "placeholders")
	a := wantStatus(t, 200, "/", body, header, signature)
	if a.body != "notifly placeholders message.created conversations/c-placeholders" {
		t.Errorf("got %q", a.body)
	}
	wantStatus(t, 200, "/", body, header, signature)
	post(t, "/", body, header, "00")
	for _, outcome := range []string{"accepted", "duplicate", "bad_credential"} {
		waitFor(t, func() bool { return len(g.logLines("handled request", `"outcome":"`+outcome+`"`)) == 1 })
	}
}

// TestNotForwarded shows what must not reach the application.
func TestNotForwarded(t *testing.T) {
	secret, static := secretIn(t, "SECRET"), secretIn(t, "STATIC")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /wotnot wotnot {
		token {env.SECRET}
		basic_auth user {env.SECRET}
		header X-Static {env.STATIC}
	}
	reverse_proxy %s {
		header_up X-Orig-Uri {http.request.orig_uri}
		header_up X-Uri {http.request.uri}
	}
	`, strings.TrimPrefix(app.URL, "http://")))
	r := request(t, "/wotnot?a=%20b&token="+secret+"&c=d&%74oken="+secret,
		bytes.Replace(payload(t, "wotnot", "note"), []byte(`{"events"`), fmt.Appendf(nil, `{"token":%q,"events"`, secret), 1),
		"X-Static", static, "X-Wotnot-Token", secret,
		"Webhook-Id", "smuggled", "webhook-signature", "smuggled", "Webhook-Replay", "true",
		"Content-MD5", "x", "Digest", "x", "X-Kept", "yes")
	r.SetBasicAuth("user", secret)
	if a := do(t, r); a.status != 200 {
		t.Fatal(a.status)
	}
	sent := app.want(t, 1)[0]
	if sent.URI != "/wotnot?a=%20b&c=d" {
		t.Errorf("URI %q", sent.URI)
	}
	for _, name := range []string{"Authorization", "X-Static", "X-Wotnot-Token", "Webhook-Replay", "Webhook-Signature", "Content-Md5", "Digest"} {
		if value := sent.Header.Get(name); value != "" {
			t.Errorf("%s was forwarded: %q", name, value)
		}
	}
	if sent.Header.Get("Webhook-Id") == "smuggled" || sent.Header.Get("Webhook-Timestamp") == "" || sent.Header.Get("X-Kept") != "yes" {
		t.Errorf("headers %v", sent.Header)
	}
	if text := fmt.Sprint(sent) + string(sent.Body); strings.Contains(text, secret) || strings.Contains(text, static) {
		t.Errorf("a credential was forwarded: %s", strings.ReplaceAll(text, secret, "SECRET"))
	}
}

// TestHandshakes shows every handshake, and that none is forwarded.
func TestHandshakes(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /wotnot wotnot {
		token {env.SECRET}
	}
	webhooks /chatbot chatbot {
		token {env.SECRET}
		basic_auth user {env.SECRET}
		header X-Static {env.SECRET}
	}
	webhooks /open wotnot {
		unverified
		source /open
	}
	%s
	`, app.proxy()))
	for name, body := range map[string]string{
		"no events": `{"hello":"there"}`, "empty events": `{"events":[]}`, "null events": `{"events":null}`,
		"empty": ``, "form": `token=x`, "with token": `{"token":"` + secret + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			headers := []string{"Authorization", secret}
			if strings.Contains(body, secret) {
				headers = nil
			}
			a := wantStatus(t, 200, "/wotnot", []byte(body), headers...)
			if a.body != secret || a.header.Get("Content-Type") != "text/plain; charset=utf-8" || a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%v", a.header)
			}
			// Nobody gets a token that he does not know.
			if a := wantStatus(t, 401, "/wotnot", []byte(strings.ReplaceAll(body, secret, "guess"))); strings.Contains(a.body, secret) {
				t.Error("the token was given away")
			}
			if a := wantStatus(t, 200, "/open", []byte(body), headers...); a.body != "" {
				t.Errorf("an unproved request was answered with %d bytes", len(a.body))
			}
		})
	}
	// What was meant to be events and is broken is no handshake.
	for _, body := range []string{`{"events":[{"a":`, `{"events":{}}`, "{\"events\":[\"\xff\"]}", `[`} {
		wantStatus(t, 400, "/wotnot", []byte(body), "token", secret)
	}

	get := func(query string) answer {
		r, err := http.NewRequest(http.MethodGet, gatewayURL+"/chatbot?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		return do(t, r)
	}
	// The token alone proves a challenge, whatever else is configured.
	challenge := `<script>"1"</script>`
	a := get(url.Values{"challenge": {challenge}, "token": {secret}}.Encode())
	if a.status != 200 || a.body != challenge || a.header.Get("Content-Type") != "text/plain; charset=utf-8" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("challenge: %d %q %v", a.status, a.body, a.header)
	}
	for query, status := range map[string]int{
		"token=" + secret:                             400,
		"challenge=&token=" + secret:                  400,
		"challenge=a&challenge=b&token=" + secret:     400,
		"challenge=a":                                 401,
		"challenge=a&token=":                          401,
		"challenge=a&token=wrong":                     401,
		"challenge=a&token=" + secret + "&token=more": 401,
	} {
		if a := get(query); a.status != status {
			t.Errorf("%s: %d, want %d", strings.ReplaceAll(query, secret, "SECRET"), a.status, status)
		}
	}
	r := request(t, "/chatbot", nil)
	r.Method = http.MethodPut
	if a := do(t, r); a.status != 405 || a.header.Get("Allow") != "GET, POST" {
		t.Errorf("PUT: %d, Allow %q", a.status, a.header.Get("Allow"))
	}
	app.want(t, 0)
}

// TestStaticCredentials shows that basic auth and headers are required once they
// are configured, whatever else proves a request.
func TestStaticCredentials(t *testing.T) {
	secret, password, static := secretIn(t, "SECRET"), secretIn(t, "PASSWORD"), secretIn(t, "STATIC")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks chatbot {
		token {env.SECRET}
		basic_auth user {env.PASSWORD}
		header X-Static {env.STATIC}
		header X-Other {env.STATIC}
	}
	%s
	`, app.proxy()))
	body := payload(t, "chatbot", "interaction.matched")
	for _, c := range []struct {
		name, username, password, static, other string
		status                                  int
	}{
		{"no basic auth", "", "", static, static, 401},
		{"a wrong user", "other", password, static, static, 401},
		{"a wrong password", "user", "wrong", static, static, 401},
		{"no header", "user", password, "", static, 401},
		{"a wrong header", "user", password, static, "wrong", 401},
		{"all of them", "user", password, static, static, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(t, "/?token="+secret, body, "X-Static", c.static, "X-Other", c.other)
			if c.username != "" {
				r.SetBasicAuth(c.username, c.password)
			}
			if a := do(t, r); a.status != c.status {
				t.Errorf("got %d, want %d", a.status, c.status)
			}
		})
	}
	sent := app.want(t, 1)[0]
	if text := fmt.Sprint(sent); strings.Contains(text, password) || strings.Contains(text, static) {
		t.Error("a credential was forwarded")
	}
}

// TestChatbot shows that the application's answer is the provider's, and that a
// repeat gets the first one again.
func TestChatbot(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		w.Header().Set("Content-Type", "application/json")
		switch r.Header.Get("X-Case") {
		case "fails once":
			if n == 2 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		case "long":
			fmt.Fprint(w, strings.Repeat("x", 65<<10))
		}
		fmt.Fprintf(w, `{"responses":[{"n":%d}]}`, n)
	})
	start(t, fmt.Sprintf(`
	webhooks chatbot {
		token {env.SECRET}
	}
	%s
	`, app.proxy()))
	ask := func(id, name string) answer {
		t.Helper()
		return post(t, "/?token="+secret, fmt.Appendf(nil, `{"messageId":%q,"chatId":"c"}`, id), "X-Case", name)
	}
	for range 2 {
		a := ask("m1", "")
		if a.status != 200 || a.body != `{"responses":[{"n":1}]}` || a.header.Get("Content-Type") != "application/json" {
			t.Fatalf("%+v", a)
		}
	}
	app.want(t, 1)
	if a := ask("m2", "fails once"); a.status != 500 || a.body != `{"responses":[{"n":2}]}` {
		t.Errorf("%+v", a)
	}
	if a := ask("m2", "fails once"); a.status != 200 || a.body != `{"responses":[{"n":3}]}` {
		t.Errorf("%+v", a)
	}
	// An answer that is too long to keep is asked for again.
	for n := 4; n <= 5; n++ {
		if a := ask("m3", "long"); a.status != 200 || !strings.HasSuffix(a.body, fmt.Sprintf(`{"n":%d}]}`, n)) {
			t.Errorf("%d, %d bytes", a.status, len(a.body))
		}
	}
	// A missing id makes no two events the same, and is counted.
	for i := range 2 {
		if a := post(t, "/?token="+secret, fmt.Appendf(nil, `{"chatId":"no-id-%d"}`, i)); a.status != 200 {
			t.Error(a.status)
		}
	}
	app.want(t, 7)
	if n := metric(t, `caddy_webhooks_missing_ids_total{provider="chatbot"}`); n != "2" {
		t.Errorf("%s missing ids counted", n)
	}
}

// TestOriginal shows the provider's own bytes, less what must not leave.
func TestOriginal(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /notifly notifly {
		secret {env.SECRET}
		format original
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	webhooks /oneroute oneroute {
		token {env.SECRET}
		format original
	}
	webhooks /wotnot wotnot {
		token {env.SECRET}
		format original
	}
	%s
	`, app.proxy()))

	body := payload(t, "notifly", "message.updated")
	for range 2 {
		wantStatus(t, 200, "/notifly", body, "X-Notifly-Signature", hexMAC(secret, body), "Content-Type", "application/vnd.own+json")
	}
	sent := app.want(t, 1)[0]
	if !bytes.Equal(sent.Body, body) {
		t.Errorf("the body changed: %s", sent.Body)
	}
	if got := strings.Join(sent.Header.Values("Content-Type"), ","); !strings.Contains(got, "application/vnd.own+json") {
		t.Errorf("content type %s", got)
	}
	verifySigned(t, sent, signingKey)

	body = payload(t, "oneroute", "newMessage")
	wantStatus(t, 200, "/oneroute?token="+secret, body)
	sent = app.want(t, 2)[1]
	for _, gone := range []string{"credentials", "webhookUrl"} {
		if !bytes.Contains(body, []byte(gone)) || bytes.Contains(sent.Body, []byte(gone)) {
			t.Errorf("%s was forwarded", gone)
		}
	}
	if !json.Valid(sent.Body) {
		t.Errorf("not JSON: %s", sent.Body)
	}

	// A batch is one event.
	two := []byte(fmt.Sprintf(`{"token":%q, "events":[{"event":{"type":"note"}},{"event":{"type":"status"}}]}`, secret))
	for range 2 {
		if a := wantStatus(t, 200, "/wotnot", two); a.body != secret {
			t.Error("no token back")
		}
	}
	sent = app.want(t, 3)[2]
	if want := `{"events":[{"event":{"type":"note"}},{"event":{"type":"status"}}]}`; string(sent.Body) != want {
		t.Errorf("got %s", strings.ReplaceAll(string(sent.Body), secret, "SECRET"))
	}
	key := envelope.NewKey("/webhooks/wotnot", envelope.Hash(string(two)))
	if got := sent.Header.Get("Webhook-Id"); got != key.String() {
		t.Errorf("webhook-id %s, want %s", got, key)
	}
}

// TestSources shows that a source is the scope in which an event is a duplicate.
func TestSources(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /a notifly {
		secret {env.SECRET}
		source /one
	}
	webhooks /b notifly {
		secret {env.SECRET}
		source https://example.com/two
	}
	webhooks /c notifly {
		secret {env.SECRET}
		source /one
	}
	%s
	`, app.proxy()))
	body, header, signature := notifly(secret, "source")
	for _, path := range []string{"/a", "/b", "/c"} {
		wantStatus(t, 200, path, body, header, signature)
	}
	sent := app.want(t, 2)
	if a, b := sent[0].event(t).Source, sent[1].event(t).Source; a != "/one" || b != "https://example.com/two" {
		t.Errorf("sources %q and %q", a, b)
	}
	if sent[0].Header.Get("Webhook-Id") == sent[1].Header.Get("Webhook-Id") {
		t.Error("the events of two sources have one webhook-id")
	}
}

// TestRotation shows that any of several secrets and signing keys is good, and
// that a metric says which one is used.
func TestRotation(t *testing.T) {
	secretIn(t, "OLD")
	secret := secretIn(t, "NEW")
	app := startApplication(t)
	t.Setenv("OTHER_KEY", "whsec_"+"b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVy")
	start(t, fmt.Sprintf(`
	webhooks notifly {
		secret {env.OLD} {env.NEW}
		sign {env.OTHER_KEY} {env.WEBHOOKS_TEST_SIGN}
	}
	%s
	`, app.proxy()))
	body, header, signature := notifly(secret, "rotation")
	wantStatus(t, 200, "/", body, header, signature)
	sent := app.want(t, 1)[0]
	verifySigned(t, sent, signingKey)
	verifySigned(t, sent, os.Getenv("OTHER_KEY"))
	if n := metric(t, `caddy_webhooks_secret_matches_total{provider="notifly",secret="2"}`); n != "1" {
		t.Errorf("%q matches of the second secret", n)
	}
	if n := metric(t, `caddy_webhooks_secret_matches_total{provider="notifly",secret="1"}`); n != "" {
		t.Errorf("%q matches of the first secret", n)
	}
}

// ownProviders are two providers that are not like any of the built-in ones.
const ownProviders = `
	webhooks {
		provider striped {
			verify hmac sha256 {
				signature header Stripe-Signature
				separator ,
				prefix    v1=
				content   $timestamp.$body
				timestamp item t= unix
			}
			id   id
			type type {
				charge.*  payment.charged
			}
			time created as unix
			field payment.amount data.object.amount as value
		}
		provider slacked {
			verify hmac sha256 {
				signature header X-Slack-Signature
				prefix    v0=
				content   v0:$timestamp:$body
				timestamp header X-Slack-Request-Timestamp unix
			}
			handshake body challenge when type url_verification
			id   event_id
			type event.type {
				message message.created
			}
			time event_time as unix
			field conversation.id event.channel
			field message.text    event.text
		}
	}`

// TestOwnProviders shows providers that a user defines.
func TestOwnProviders(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /striped striped {
		secret {env.SECRET}
	}
	webhooks /slacked slacked {
		secret {env.SECRET}
		tolerance 1m
	}
	%s
	`, app.proxy()), ownProviders)
	now := time.Now()
	striped := func(at time.Time, body string, before ...string) []string {
		ts := fmt.Sprint(at.Unix())
		return []string{"Stripe-Signature", strings.Join(append(append([]string{"t=" + ts}, before...), "v1="+hexMAC(secret, []byte(ts+"."+body)), "v0=ignored"), ",")}
	}
	body := `{"id":"evt_1","type":"charge.succeeded","created":1700000000,"data":{"object":{"amount":2000}}}`
	wantStatus(t, 200, "/striped", []byte(body), striped(now, body, "v1="+strings.Repeat("0", 64))...)
	e := app.want(t, 1)[0].event(t)
	if e.ID != "evt_1" || e.Type != "payment.charged" || e.ProviderType != "charge.succeeded" || e.Time != "2023-11-14T22:13:20Z" || string(e.Data["payment"]) != `{"amount":2000}` {
		t.Errorf("%+v", e)
	}
	for name, headers := range map[string][]string{
		"an hour ago":    striped(now.Add(-time.Hour), body),
		"in an hour":     striped(now.Add(time.Hour), body),
		"another body":   striped(now, body+" "),
		"no signature":   {"Stripe-Signature", fmt.Sprintf("t=%d", now.Unix())},
		"two timestamps": striped(now, body, fmt.Sprintf("t=%d", now.Unix())),
		"nothing":        nil,
	} {
		t.Run(name, func(t *testing.T) { wantStatus(t, 401, "/striped", []byte(body), headers...) })
	}
	for reason, n := range map[string]string{"stale_timestamp": "2", "bad_credential": "3", "missing_credential": "1"} {
		if got := metric(t, fmt.Sprintf(`caddy_webhooks_requests_total{outcome=%q,provider="striped"}`, reason)); got != n {
			t.Errorf("%s: %s, want %s", reason, got, n)
		}
	}

	slacked := func(at time.Time, body string) []string {
		ts := fmt.Sprint(at.Unix())
		return []string{"X-Slack-Request-Timestamp", ts, "X-Slack-Signature", "v0=" + hexMAC(secret, []byte("v0:"+ts+":"+body))}
	}
	challenge := `{"type":"url_verification","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}`
	if a := wantStatus(t, 200, "/slacked", []byte(challenge), slacked(now, challenge)...); !strings.HasPrefix(a.body, "3eZbrw1aBm2rZg") || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Errorf("%+v", a)
	}
	wantStatus(t, 401, "/slacked", []byte(challenge))
	message := `{"event_id":"Ev1","type":"event_callback","event_time":1700000001,"event":{"type":"message","channel":"C1","text":"hi"}}`
	wantStatus(t, 401, "/slacked", []byte(message), slacked(now.Add(-2*time.Minute), message)...)
	wantStatus(t, 200, "/slacked", []byte(message), slacked(now.Add(-30*time.Second), message)...)
	if e := app.want(t, 2)[1].event(t); e.Type != "message.created" || e.Subject != "conversations/C1" {
		t.Errorf("%+v", e)
	}
}

// TestRefused shows the answer to what is not proved, not JSON, too large or no
// event, and that nothing of it is forwarded.
func TestRefused(t *testing.T) {
	secret := secretIn(t, "SECRET")
	other := secretIn(t, "OTHER")
	app := startApplication(t)
	g := start(t, fmt.Sprintf(`
	webhooks /notifly notifly {
		secret {env.SECRET}
	}
	webhooks /small notifly {
		secret {env.SECRET}
		max_body 1KiB
		source /small
	}
	webhooks /wotnot wotnot {
		token {env.SECRET}
	}
	%s
	`, app.proxy()))
	body, header, right := notifly(secret, "refused")
	const sig = "X-Notifly-Signature"
	for name, headers := range map[string][]string{
		"missing":            nil,
		"empty":              {sig, ""},
		"truncated":          {sig, right[:63]},
		"upper case":         {sig, strings.ToUpper(right)},
		"doubled":            {sig, right, sig, right},
		"listed":             {sig, right + "," + right},
		"over-long":          {sig, strings.Repeat(right, 100)},
		"prefixed":           {sig, "sha256=" + right},
		"wrong key":          {sig, hexMAC(other, body)},
		"of another body":    {sig, hexMAC(secret, append([]byte(" "), body...))},
		"in another header":  {"X-Signature", strings.Repeat("ab", 32)},
		"the secret itself":  {sig, secret},
		"of the empty key":   {sig, hexMAC("", body)},
		"not even hex":       {sig, "\u00e9\u00e9"},
		"surrounded by room": {sig, right + "\t x"},
	} {
		t.Run(name, func(t *testing.T) { wantStatus(t, 401, "/notifly", body, headers...) })
	}

	proved := func(body []byte) []string { return []string{header, hexMAC(secret, body)} }
	deep := bytes.Repeat([]byte("["), 1<<20-1)
	for _, c := range []struct {
		name, reason string
		status       int
		body         []byte
	}{
		{"empty", "malformed", 400, nil},
		{"not JSON", "malformed", 400, []byte("hello")},
		{"cut off", "malformed", 400, body[:len(body)-1]},
		{"not UTF-8", "malformed", 400, []byte("{\"id\":\"\xff\"}")},
		{"a megabyte of brackets", "too_deep", 400, deep},
		{"too deep", "too_deep", 400, []byte(strings.Repeat(`{"a":`, 129) + "1" + strings.Repeat("}", 129))},
		{"an array", "no_event", 400, []byte(`[{"id":"1"}]`)},
		{"null", "no_event", 400, []byte(`null`)},
		{"too large", "too_large", 413, append(deep, ' ', ' ')},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantStatus(t, c.status, "/notifly", c.body, proved(c.body)...)
			if got := metric(t, fmt.Sprintf(`caddy_webhooks_requests_total{outcome=%q,provider="notifly"}`, c.reason)); got == "" {
				t.Errorf("no %s counted", c.reason)
			}
			if len(g.logLines("webhook refused", `"reason":"`+c.reason+`"`)) == 0 {
				t.Errorf("no %s in the log", c.reason)
			}
		})
	}

	t.Run("chunked over the limit", func(t *testing.T) {
		large := append(bytes.TrimSuffix(body, []byte("}")), []byte(`,"x":"`+strings.Repeat("x", 1024)+`"}`)...)
		r := request(t, "/small", nil, proved(large)...)
		r.Body, r.ContentLength = http.NoBody, -1
		r.Body = readCloser{bytes.NewReader(large)}
		if a := do(t, r); a.status != 413 {
			t.Errorf("%d", a.status)
		}
		r = request(t, "/small", nil, proved(body)...)
		r.Body, r.ContentLength = readCloser{bytes.NewReader(body)}, -1
		if a := do(t, r); a.status != 200 {
			t.Errorf("chunked within the limit: %d", a.status)
		}
	})
	app.want(t, 1)

	t.Run("too many events", func(t *testing.T) {
		many := []byte(`{"events":[{}` + strings.Repeat(`,{}`, 349_000) + `]}`)
		wantStatus(t, 413, "/wotnot", many, "token", secret)
		many = []byte(`{"events":[0` + strings.Repeat(`,0`, 1000) + `]}`)
		wantStatus(t, 413, "/wotnot", many, "token", secret)
	})
	t.Run("another method", func(t *testing.T) {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"} {
			r := request(t, "/notifly", nil)
			r.Method = method
			if a := do(t, r); a.status != 405 || a.header.Get("Allow") != "POST" {
				t.Errorf("%s: %d, Allow %q", method, a.status, a.header.Get("Allow"))
			}
		}
	})
	app.want(t, 1)
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// TestHostile shows that odd but valid JSON becomes a faithful envelope.
func TestHostile(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /notifly notifly {
		secret {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	webhooks /wotnot wotnot {
		token {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	%s
	`, app.proxy()))
	digits := strings.Repeat("9", 400)
	for n, c := range []struct{ body, wantID string }{
		{`{}`, ""},
		{`{"id":"1","id":"2","type":"a","type":"b","payload":{},"payload":{"id":1}}`, "1"},
		{`{"id":` + digits + `,"type":"message.created","payload":{"created_at":` + digits + `,"id":1e999}}`, digits},
		{`{"id":"a\u0000b","type":"message.created"}`, ""},
		{`{"id":"\ud800","type":"\udfff","payload":{"message":"\ud800 lone"}}`, ""},
		{`{"id":"` + strings.Repeat("x", 5000) + `","type":"` + strings.Repeat("y", 5000) + `"}`, ""},
		{`{"id":{"a":1},"type":["x"],"payload":"not an object"}`, ""},
		{`{"id":7525695,"type":"message.created","payload":{"message":"\u2028<\/script>\"\\"}}`, "7525695"},
		{`{"id":"z","type":"weird type/with \"quotes\"","payload":null}`, "z"},
		{"  \n{\"id\":\"space\"}\r\n ", "space"},
		{strings.Repeat(`{"payload":`, 127) + "{}" + strings.Repeat("}", 127), ""},
	} {
		body := []byte(c.body)
		wantStatus(t, 200, "/notifly", body, "X-Notifly-Signature", hexMAC(secret, body))
		sent := app.want(t, n+1)[n]
		checkForwarded(t, sent)
		e := sent.event(t)
		if original := strings.TrimSpace(c.body); string(e.Data["original"]) != original {
			t.Errorf("%.60s: the original changed: %.200s", c.body, e.Data["original"])
		}
		if c.wantID == "" {
			c.wantID = envelope.Hash(c.body)
		}
		if e.ID != c.wantID {
			t.Errorf("%.60s: id %.60s, want %.60s", c.body, e.ID, c.wantID)
		}
	}
	before := len(app.requests())
	wantStatus(t, 200, "/wotnot", []byte(`{"events":[1,"x",null,[],{},{"event":[]}]}`), "token", secret)
	for _, sent := range app.want(t, before+6)[before:] {
		checkForwarded(t, sent)
		if sent.event(t).Type != "wotnot.unknown" {
			t.Errorf("type %s", sent.event(t).Type)
		}
	}
}

// TestCredentialsInLogs shows that with the documented filter Caddy's own lines
// hold no credential either: TestMain looks for them.
func TestCredentialsInLogs(t *testing.T) {
	secret := secretIn(t, "SECRET")
	g := start(t, `
	webhooks /wotnot wotnot {
		token {env.SECRET}
	}
	webhooks /ndoto ndoto {
		token {env.SECRET}
	}
	reverse_proxy localhost:1
	`)
	item := payload(t, "wotnot", "note")
	post(t, "/wotnot?a=b&token="+secret, item)
	post(t, "/wotnot", item, "token", secret)
	post(t, "/wotnot", item, "x-wotnot-token", secret)
	post(t, "/wotnot", item, "Authorization", "Bearer "+secret)
	post(t, "/ndoto?token="+secret, payload(t, "ndoto", "message_created"))
	waitFor(t, func() bool { return len(g.logLines("http.log.access")) == 5 })
	if len(g.logLines("http.log.error", "connection refused")) == 0 {
		t.Error("Caddy logged no error: the test looks at nothing")
	}
	if len(g.logLines(`"logger":"webhooks"`, "copy this provider's credentials", `"query":["token"]`)) == 0 {
		t.Error("no warning about where the credentials end up")
	}
}

// TestRefusalsAreSampled shows that junk cannot flood the log.
func TestRefusalsAreSampled(t *testing.T) {
	secretIn(t, "SECRET")
	g := start(t, `
	webhooks notifly {
		secret {env.SECRET}
	}
	`)
	for range 200 {
		wantStatus(t, 401, "/", []byte("junk"))
	}
	waitFor(t, func() bool {
		n := 0
		for _, line := range g.logLines("more webhooks refused", `"reason":"missing_credential"`) {
			var more struct{ Count int }
			_ = json.Unmarshal([]byte(line), &more)
			n += more.Count
		}
		return n+len(g.logLines(`"msg":"webhook refused"`)) == 200
	})
	if n := len(g.logLines(`"msg":"webhook refused"`)); n > 100 {
		t.Errorf("%d lines for 200 refusals", n)
	}
}

// TestJSONConflict shows that unequal handlers with one source are refused in
// JSON too.
func TestJSONConflict(t *testing.T) {
	t.Setenv("SECRET", "x")
	handler := func(more string) string {
		return `{"handler":"webhooks","provider":"notifly","secrets":["{env.SECRET}"]` + more + `}`
	}
	for more, want := range map[string]string{
		`,"max_body":1048576`:               "", // what the default is
		`,"max_body":5`:                     `two webhooks handlers have the source "/webhooks/notifly" and differ in max_body: webhooks notifly, number 1 in the configuration, and webhooks notifly, number 2 in the configuration; give one a ` + "`source` of its own",
		`,"dedup":{"off":true,"entries":1}`: "`dedup off` takes no window and no entries",
		`,"max_body":-1`:                    "`max_body` must be positive",
		`,"tolerance":-1`:                   "`tolerance` must be positive",
		`,"dedup":{"window":-5}`:            "the window of `dedup` is at least 1s",
		`,"dedup":{"entries":-5}`:           "the entries of `dedup` are at least 1",
		`,"surprise":1`:                     `unknown field "surprise"`,
	} {
		config := `{"apps":{"http":{"servers":{"s":{"listen":[":0"],"routes":[{"handle":[` + handler("") + "," + handler(more) + `]}]}}}}}`
		err := validateJSON(config)
		switch {
		case err == nil && want != "":
			t.Errorf("%s: no error", more)
		case err != nil && (want == "" || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v", more, err)
		}
	}
	config := `{"apps":{"webhooks":{"providers":[null]}}}`
	if err := validateJSON(config); err == nil || !strings.Contains(err.Error(), "a provider is null") {
		t.Errorf("%v", err)
	}
}
