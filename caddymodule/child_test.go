package caddymodule_test

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	// commitInterval is the queue's: the end of an attempt waits that long before it
	// is written.
	commitInterval = 100 * time.Millisecond

	// commitMargin is what the commit itself may take on a busy machine.
	commitMargin = 400 * time.Millisecond

	// childPatience is how long a child may take for what it is to do.
	childPatience = 60 * time.Second
)

// child is a gateway in a process of its own, of the binary that users run, so
// that it can be killed.
type child struct {
	t          testing.TB
	name       string
	url, admin string
	dir        string
	env        []string
	logFile    string
	starts     int
	process    *childProcess // the one started last
}

// newChild prepares a gateway, which start starts: site is the content of its
// site, queue the arguments of the option. It finds secrets in the environment, to
// which env adds.
func newChild(t testing.TB, name, queue, site string, env ...string) *child {
	t.Helper()
	c := &child{t: t, name: name, dir: t.TempDir(), env: env}
	http, admin := freeAddress(t), freeAddress(t)
	c.url, c.admin = "http://"+http, "http://"+admin
	c.logFile = filepath.Join(logDir, fmt.Sprintf("%s-%s-%s.log", strings.ReplaceAll(t.Name(), "/", "-"), name, hex.EncodeToString(randomBytes(3))))
	config := fmt.Sprintf(`{
	admin %s
	persist_config off
	skip_install_trust
	grace_period 10s
	log {
		%s
	}
	webhooks {
		queue %s
	}
}

http://%s {
	%s
	respond "not for the next handler" 500
}
`, admin, documentedFilter, queue, http, site)
	if err := os.WriteFile(filepath.Join(c.dir, "Caddyfile"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.kill()
		showLog(t, "gateway "+c.name, c.logFile)
	})
	return c
}

// freeAddress returns an address at which nothing but the child of a test listens
// as long as the test runs.
func freeAddress(t testing.TB) string {
	t.Helper()
	port, release, err := reservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// childProcess is a process that this one has started.
type childProcess struct {
	*exec.Cmd
	exited chan struct{}
	err    error // valid after exited
}

// launch starts a process that dies with this one, however that dies.
func launch(t testing.TB, cmd *exec.Cmd) *childProcess {
	t.Helper()
	cmd.SysProcAttr = new(syscall.SysProcAttr)
	// Only Linux has it, and this file is for all systems.
	if signal := reflect.ValueOf(cmd.SysProcAttr).Elem().FieldByName("Pdeathsig"); signal.IsValid() {
		signal.SetInt(int64(syscall.SIGKILL))
	}
	p := &childProcess{Cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel ends the process together with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *childProcess) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// start starts the gateway and waits for nothing.
func (c *child) start() {
	c.t.Helper()
	path, err := binary()
	if err != nil {
		c.t.Fatal(err)
	}
	log, err := os.OpenFile(c.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	c.starts++
	cmd := exec.Command(path, "run", "--config", filepath.Join(c.dir, "Caddyfile"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(append(os.Environ(), c.env...), "GATEWAY="+c.life(),
		"XDG_CONFIG_HOME="+filepath.Join(c.dir, "config"), "XDG_DATA_HOME="+filepath.Join(c.dir, "data"))
	c.process = launch(c.t, cmd)
}

// life names the process that was started last, to receivers.
func (c *child) life() string { return fmt.Sprintf("%s%d", c.name, c.starts) }

// startReady starts the gateway and waits until it takes events.
func (c *child) startReady() {
	c.t.Helper()
	c.start()
	c.waitReady()
}

func (c *child) waitReady() {
	c.t.Helper()
	waitLong(c.t, "gateway "+c.name+" takes events", func() bool {
		if !c.process.running() {
			c.t.Fatalf("gateway %s has ended: %v", c.name, c.process.err)
		}
		return c.ready() == http.StatusOK
	})
}

// ready returns the status that load balancers are told, 0 for no answer.
func (c *child) ready() int {
	status, _ := c.ask(http.MethodGet, "/webhooks/ready")
	return status
}

// adminClient makes a connection each time: those of a killed gateway are of no
// use.
var adminClient = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// ask makes a request to the admin endpoint; 0 is no answer.
func (c *child) ask(method, path string) (status int, body string) {
	c.t.Helper()
	r, err := http.NewRequest(method, c.admin+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	response, err := adminClient.Do(r)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

// metric returns the value of a sample, "" if it is not there.
func (c *child) metric(sample string) string {
	c.t.Helper()
	_, text := c.ask(http.MethodGet, "/metrics")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, sample+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// works reports whether the gateway is the one that works a destination.
func (c *child) works(destination string) bool {
	c.t.Helper()
	_, text := c.ask(http.MethodGet, "/webhooks/destinations")
	var all []struct {
		Destination string
		Here        bool
	}
	_ = json.Unmarshal([]byte(text), &all) // a gateway that is down works none
	for _, d := range all {
		if d.Destination == destination && d.Here {
			return true
		}
	}
	return false
}

// kill is kill -9.
func (c *child) kill() outage {
	begin := time.Now()
	if c.process != nil {
		_ = c.process.Process.Kill() // it may have ended
		<-c.process.exited
	}
	return outage{gateway: c.life(), begin: begin, end: time.Now()}
}

// waitLong is waitFor for what takes longer, and less often: that the test looks
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

// arrival is a request that a receiver got.
type arrival struct {
	event, key, webhookID, gateway string
	attempt, status                int
	begin, end                     time.Time
}

// receiver is an application that notes when it gets what.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	arrivals []arrival
	taken    map[string]bool // events that were answered 200
	hanging  atomic.Int64    // requests so far that were not answered
	mode     atomic.Pointer[receiverMode]
}

// receiverMode is how a receiver behaves.
type receiverMode struct {
	latency time.Duration // at the most; a random part of it
	errors  float64       // how many of its answers are 500
	of      map[string]reaction
}

// reaction is what a receiver does with one event.
type reaction struct {
	wait   time.Duration
	status int // 0 is no answer
}

func startReceiver(t testing.TB) *receiver {
	t.Helper()
	to := &receiver{taken: make(map[string]bool)}
	to.mode.Store(new(receiverMode))
	to.Server = httptest.NewServer(http.HandlerFunc(to.serve))
	t.Cleanup(to.Close)
	return to
}

func (to *receiver) serve(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its sender died
	}
	var e struct{ ID, PartitionKey string }
	if err := json.Unmarshal(body, &e); err != nil {
		e.ID = "malformed: " + string(body)
	}
	a := arrival{
		event: e.ID, key: e.PartitionKey, webhookID: r.Header.Get("webhook-id"), gateway: r.Header.Get("X-Gateway"),
		begin: begin,
	}
	a.attempt, _ = strconv.Atoi(r.Header.Get("webhook-attempt"))
	mode := to.mode.Load()
	does, ok := mode.of[a.event]
	if !ok {
		does = reaction{time.Duration(rand.Float64() * float64(mode.latency)), http.StatusOK}
		if rand.Float64() < mode.errors {
			does.status = http.StatusInternalServerError
		}
	}
	time.Sleep(does.wait)
	if does.status == 0 {
		to.hanging.Add(1)
		<-r.Context().Done()
		does.status = http.StatusGatewayTimeout
	}
	a.status = does.status
	a.end = time.Now()
	to.mu.Lock()
	to.arrivals = append(to.arrivals, a)
	if a.status == http.StatusOK {
		to.taken[a.event] = true
	}
	to.mu.Unlock()
	w.WriteHeader(a.status)
}

// to is the block of a `destination` that delivers to the receiver.
func (to *receiver) to() string {
	return fmt.Sprintf(`to {
			reverse_proxy %s {
				header_up X-Gateway {env.GATEWAY}
			}
		}`, strings.TrimPrefix(to.URL, "http://"))
}

// got returns what arrived, in the order of the beginnings.
func (to *receiver) got() []arrival {
	to.mu.Lock()
	defer to.mu.Unlock()
	got := slices.Clone(to.arrivals)
	slices.SortStableFunc(got, func(a, b arrival) int { return a.begin.Compare(b.begin) })
	return got
}

// count is how many requests have arrived.
func (to *receiver) count() int {
	to.mu.Lock()
	defer to.mu.Unlock()
	return len(to.arrivals)
}

// forget lets the receiver begin anew.
func (to *receiver) forget() {
	to.mu.Lock()
	defer to.mu.Unlock()
	to.arrivals = nil
	clear(to.taken)
}

// waitTaken waits until the receiver has taken all events.
func (to *receiver) waitTaken(t testing.TB, events []string) {
	t.Helper()
	missing := events
	defer func() {
		if len(missing) > 0 {
			t.Logf("such as %s", missing[0])
		}
	}()
	waitLong(t, "all events have arrived", func() bool {
		to.mu.Lock()
		defer to.mu.Unlock()
		for len(missing) > 0 && to.taken[missing[0]] {
			missing = missing[1:]
		}
		return len(missing) == 0
	})
}

// outage is when what gateways did could get lost.
type outage struct {
	gateway    string // the life that it ended; "" when the queue of all was down
	begin, end time.Time
}

// excuses reports whether an attempt may be repeated because of the outage: it
// was under way, or that it ended was not written yet.
func (o outage) excuses(before, again arrival) bool {
	if !before.end.After(o.begin.Add(-commitInterval - commitMargin)) {
		return false
	}
	if o.gateway != "" {
		// The receiver may have read the last ones after their sender was dead.
		return before.gateway == o.gateway && again.gateway != o.gateway
	}
	return before.begin.Before(o.end) && again.begin.After(o.begin)
}

// repeats is what came of checkRepeats.
type repeats struct {
	events, arrivals, failed, repeated, underWay int
	oldest                                       time.Duration // before an outage, of those that were not under way
}

func (r repeats) String() string {
	return fmt.Sprintf("%d events in %d requests: %d not answered 200, %d repeats, of which %d were under way in an outage, the others had ended at most %s before one",
		r.events, r.arrivals, r.failed, r.repeated, r.underWay, r.oldest.Round(time.Millisecond))
}

// findings are errors of a check, of which there may be thousands.
type findings []string

func (f *findings) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

func (f findings) report(t testing.TB, outages []outage) {
	t.Helper()
	if len(f) > 0 {
		t.Errorf("%d errors, outages at %s:\n%s", len(f), outages, strings.Join(f[:min(len(f), 10)], "\n"))
	}
}

// checkRepeats checks that what arrived more than once did because of an outage,
// and is recognizable.
func checkRepeats(t testing.TB, got []arrival, outages []outage) repeats {
	t.Helper()
	var wrong findings
	defer func() { wrong.report(t, outages) }()
	count := repeats{arrivals: len(got)}
	last := make(map[string]arrival)
	for _, a := range got {
		before, again := last[a.event]
		last[a.event] = a
		if a.status != http.StatusOK {
			count.failed++
		}
		if !again {
			continue
		}
		if a.webhookID != before.webhookID || a.attempt < 2 {
			wrong.add("%s, with the id %s, came again with the id %s as %s", before, before.webhookID, a.webhookID, a)
		}
		if before.status != http.StatusOK {
			continue
		}
		count.repeated++
		i := slices.IndexFunc(outages, func(o outage) bool { return o.excuses(before, a) })
		if i < 0 {
			wrong.add("%s was repeated for no reason as %s", before, a)
			continue
		}
		if early := outages[i].begin.Sub(before.end); early > 0 {
			count.oldest = max(count.oldest, early)
		} else {
			count.underWay++
		}
	}
	count.events = len(last)
	return count
}

// checkOrder checks that the events of each sender's conversation came one at a
// time and in their order. After an outage it may begin again with one that came
// before, and goes on in order from there.
func checkOrder(t testing.TB, got []arrival, outages []outage) {
	t.Helper()
	var wrong findings
	defer func() { wrong.report(t, outages) }()
	last := make(map[string]arrival)
	for _, a := range got {
		before, known := last[a.key]
		last[a.key] = a
		if !known {
			if a.number(t) != 0 {
				wrong.add("%s came first", a)
			}
			continue
		}
		crossed := slices.ContainsFunc(outages, func(o outage) bool { return o.excuses(before, a) })
		wanted := before.number(t) + 1
		if before.status != http.StatusOK {
			wanted--
		}
		if n := a.number(t); n != wanted && !(crossed && n < wanted) {
			wrong.add("after %s came %s", before, a)
		}
		if a.begin.Before(before.end) && !crossed {
			wrong.add("%s came before %s was answered", a, before)
		}
	}
}

func (a arrival) String() string {
	return fmt.Sprintf("%s, attempt %d of gateway %s, answered %d, %s–%s", a.event, a.attempt, a.gateway, a.status, clock(a.begin), clock(a.end))
}

// number is which of its conversation's events it is, from 0.
func (a arrival) number(t testing.TB) int {
	t.Helper()
	n, err := strconv.Atoi(a.event[strings.LastIndexByte(a.event, '-')+1:])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (o outage) String() string {
	return fmt.Sprintf("%s %s–%s", o.gateway, clock(o.begin), clock(o.end))
}

func clock(t time.Time) string { return t.Format("05.000") }

// signNotifly returns the payload of a Notifly event and its signature. That is not
// noted as a secret: to look for thousands of them in all logs takes minutes.
func signNotifly(secret, id, conversation string) (body []byte, signature string) {
	body = fmt.Appendf(nil, `{"id":%q,"type":"message.created","payload":{"id":"m-%s","conversation_id":%q,"message":"hi"}}`, id, id, conversation)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return body, hex.EncodeToString(mac.Sum(nil))
}

// sendOnce sends an event to a gateway once.
func sendOnce(client *http.Client, url, secret, id, conversation string) (status int, header http.Header, err error) {
	body, signature := signNotifly(secret, id, conversation)
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Notifly-Signature", signature)
	response, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Header, err
}

// traffic is a number of senders with connections of their own. Each sends one
// event after the other, of one conversation, and each until it is answered 200.
type traffic struct {
	t        testing.TB
	secret   string
	prefix   string
	gateways []*child
	client   *http.Client
	pace     time.Duration // between two events of a sender
	stopping atomic.Bool
	wg       sync.WaitGroup

	unavailable, broken atomic.Int64 // answers of 503, and connections

	mu       sync.Mutex
	answered map[string]bool
	mark     time.Time
	first    time.Time // when what was sent after mark was answered first
}

func startTraffic(t testing.TB, prefix string, senders int, pace time.Duration, secret string, gateways ...*child) *traffic {
	t.Helper()
	l := &traffic{
		t: t, prefix: prefix, pace: pace, secret: secret, gateways: gateways, answered: make(map[string]bool),
		client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: senders}},
	}
	t.Cleanup(l.client.CloseIdleConnections)
	for sender := range senders {
		l.wg.Go(func() { l.run(sender) })
	}
	return l
}

func (l *traffic) run(sender int) {
	conversation := fmt.Sprintf("%s-%d", l.prefix, sender)
	for n := 0; !l.stopping.Load(); n++ {
		if !l.sendUntilAnswered(sender+n, fmt.Sprintf("%s-%d", conversation, n), conversation) {
			return
		}
		time.Sleep(l.pace)
	}
}

// sendUntilAnswered sends an event to one gateway after the other.
func (l *traffic) sendUntilAnswered(turn int, id, conversation string) bool {
	for deadline := time.Now().Add(childPatience); time.Now().Before(deadline); turn++ {
		sent := time.Now()
		status, header, err := sendOnce(l.client, l.gateways[turn%len(l.gateways)].url, l.secret, id, conversation)
		switch {
		case err != nil:
			l.broken.Add(1)
		case status == http.StatusOK:
			l.note(id, sent)
			return true
		case status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
			l.unavailable.Add(1)
		default:
			l.t.Errorf("%s: got %d with Retry-After %q, want 200, or 503 with one", id, status, header.Get("Retry-After"))
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	l.t.Errorf("%s was not answered 200 within %s", id, childPatience)
	return false
}

func (l *traffic) note(id string, sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered[id] = true
	if l.first.IsZero() && sent.After(l.mark) {
		l.first = time.Now()
	}
}

// waitAnswer waits until what is sent from now on is answered, and returns when.
func (l *traffic) waitAnswer() time.Time {
	l.t.Helper()
	l.mu.Lock()
	l.mark, l.first = time.Now(), time.Time{}
	l.mu.Unlock()
	var first time.Time
	waitLong(l.t, "an event is answered 200", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		first = l.first
		return !first.IsZero()
	})
	return first
}

// stop has the senders finish the event that each is at, and returns all that
// were answered 200.
func (l *traffic) stop() []string {
	l.t.Helper()
	l.stopping.Store(true)
	l.wg.Wait()
	if len(l.answered) == 0 {
		l.t.Fatal("no event was answered")
	}
	return slices.SortedFunc(maps.Keys(l.answered), cmp.Compare[string])
}
