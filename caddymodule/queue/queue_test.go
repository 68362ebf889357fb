package queue

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

const testSource = "/webhooks/test"

// soon is long enough in a bubble for whatever is not put off to be done, and
// written.
const soon = time.Second

func TestMain(m *testing.M) {
	flag.Parse()
	// Those that are parallel wait for leases and servers, not for the processor.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	code := m.Run()
	sharedServer.close()
	os.Exit(code)
}

func testSettings(t testing.TB) Settings {
	return Settings{
		Engine: SQLite, File: filepath.Join(t.TempDir(), "webhooks", "queue.db"),
		Retention: DefaultRetention, Size: DefaultSize,
		Logger: zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)), Now: time.Now,
	}
}

func postgresSettings(t testing.TB, dsn string) Settings {
	s := testSettings(t)
	s.Engine, s.File, s.DSN = PostgreSQL, "", dsn
	return s
}

// bubble runs a test with SQLite, where time passes only while everybody waits.
func bubble(t *testing.T, test func(t *testing.T, s Settings)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, testSettings(t)) })
}

// eachEngine runs a test with both engines: with SQLite in a bubble, and with
// PostgreSQL in real time.
func eachEngine(t *testing.T, test func(t *testing.T, s Settings)) {
	t.Parallel()
	t.Run(SQLite, func(t *testing.T) { bubble(t, test) })
	t.Run(PostgreSQL, func(t *testing.T) { test(t, postgresSettings(t, sharedServer.database(t))) })
}

// gateway is a queue, and the configuration that uses it.
type gateway struct {
	s Settings
	q *eventLog
	g *logGeneration
	o *watcher
}

// start opens a queue and serves destinations. Both end with the test.
func start(t testing.TB, s Settings, destinations ...Destination) *gateway {
	t.Helper()
	g := &gateway{s: s, q: openQueue(t, s), o: new(watcher)}
	g.serve(destinations...)
	t.Cleanup(func() { g.stop(t) })
	return g
}

func (g *gateway) serve(destinations ...Destination) {
	g.g = g.q.serve(Service{Destinations: destinations, Observer: g.o, Retention: g.s.Retention, Size: g.s.Size})
}

// reload serves other destinations, and then no more those of before.
func (g *gateway) reload(t testing.TB, destinations ...Destination) {
	t.Helper()
	before := g.g
	g.serve(destinations...)
	before.stop(t.Context())
	waitDeclared(t, g.g)
}

// stop ends a gateway in order, unless it has ended.
func (g *gateway) stop(t testing.TB) {
	t.Helper()
	if g.g == nil {
		return
	}
	g.g.stop(context.Background())
	g.g = nil
	if err := g.q.close(); err != nil {
		t.Error(err)
	}
}

// waitDeclared waits until the database knows the names of a generation.
func waitDeclared(t testing.TB, g *logGeneration) {
	t.Helper()
	if err := g.waitUntilDeclared(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// serve makes a configuration the current one of a log that a test has opened by itself.
func (q *eventLog) serve(s Service) *logGeneration {
	g := q.use(s)
	g.wait()
	return g
}

// openLog opens the only log of a queue.
func openLog(ctx context.Context, s Settings) (*eventLog, error) {
	if s.Engine == SQLite {
		return newLog(ctx, s, 0, nil, newCommon(1))
	}
	at, err := newServer(0, s.DSN)
	if err != nil {
		return nil, err
	}
	return newLog(ctx, s, 0, at, newCommon(1))
}

func openQueue(t testing.TB, s Settings) *eventLog {
	t.Helper()
	q, err := openLog(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.close() })
	return q
}

func newEvent(id, partition string) *Event {
	body := fmt.Sprintf(`{"id":%q,"data":{"original":{"n":1}}}`, id)
	return &Event{
		Key: envelope.NewKey(testSource, id), Source: testSource, Provider: "test", Type: "message.created",
		PartitionKey: partition, ID: id, Received: time.Now(), Window: time.Hour,
		Request: &Request{Method: "POST", URI: "/"}, Body: []byte(body), Original: len(`{"n":1}`),
	}
}

// newEvents returns events whose ids count from 0.
func newEvents(n int) []*Event {
	events := make([]*Event, n)
	for i := range events {
		events[i] = newEvent(fmt.Sprint(i), "")
	}
	return events
}

func newDestination(name string, deliver func(ctx context.Context, d *Delivery) Result) Destination {
	return Destination{
		Name: name, Filter: Filter{Source: testSource}, Attempts: DefaultAttempts,
		Backoff: Backoff{10 * time.Millisecond, 100 * time.Millisecond}, Timeout: DefaultTimeout,
		Concurrency: DefaultConcurrency, Deliver: deliver,
	}
}

// keep stores events, which none may prevent.
func (g *gateway) keep(t testing.TB, events ...*Event) []bool {
	t.Helper()
	accepted, err := g.g.store(context.Background(), events)
	if err != nil {
		t.Fatal(err)
	}
	return accepted
}

// store stores the events of a request in one log, whichever they belong to.
func (g *logGeneration) store(ctx context.Context, events []*Event) ([]bool, error) {
	prepare(events)
	return g.storeRouted(ctx, g.q.layout.Load().epoch, events)
}

// status returns that of a destination.
func (g *gateway) status(t testing.TB, name string) DestinationStatus {
	t.Helper()
	all, err := g.q.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Destination == name {
			return s
		}
	}
	t.Fatalf("no status of %s in %v", name, all)
	return DestinationStatus{}
}

// drain waits until a destination has nothing left to deliver. A database that is out
// of reach may come back.
func (g *gateway) drain(t testing.TB, name string) {
	t.Helper()
	eventually(t, "an empty backlog", func() bool {
		all, err := g.q.Status(context.Background())
		i := slices.IndexFunc(all, func(s DestinationStatus) bool { return s.Destination == name })
		return err == nil && i >= 0 && all[i].Backlog == 0
	})
}

// hold keeps the writer busy until release is called.
func (g *gateway) hold(t testing.TB) (release func()) {
	t.Helper()
	held, released := make(chan struct{}), make(chan struct{})
	g.q.writer.submit(context.Background(), &change{run: func(*tx) error {
		select {
		case <-held:
		default:
			close(held)
		}
		<-released
		return nil
	}})
	<-held
	return sync.OnceFunc(func() { close(released) })
}

// number returns what a query that counts does count.
func (g *gateway) number(t testing.TB, query string) (n int64) {
	t.Helper()
	if err := g.q.store.query(context.Background(), query, nil, func(rows *sql.Rows) error { return rows.Scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}

// crash returns the settings of a queue as the disk would hold it if the machine
// lost its power now.
func (g *gateway) crash(t testing.TB) Settings {
	t.Helper()
	synctest.Wait() // no goroutine writes
	s := testSettings(t)
	copyDir(t, filepath.Dir(g.s.File), filepath.Dir(s.File))
	s.Retention, s.Size = g.s.Retention, g.s.Size
	return s
}

// copyDir copies the files of SQLite but for what does not survive a crash.
func copyDir(t testing.TB, from, to string) {
	t.Helper()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), "-shm") || strings.HasSuffix(f.Name(), ".lock") {
			continue
		}
		copyFile(t, filepath.Join(from, f.Name()), filepath.Join(to, f.Name()))
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until something is so. It looks more seldom the longer it waits: most
// of what it waits for takes work of its own to find out.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	const most = time.Minute
	for begun := time.Now(); !is(); time.Sleep(max(2*time.Millisecond, time.Since(begun)/20)) {
		if time.Since(begun) > most {
			t.Fatalf("%s did not happen", what)
		}
	}
}

func TestStoreAndDeliver(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			if d.ID == "7" && d.Attempt < 3 {
				return Result{Status: 500}
			}
			return Result{Status: 200}
		}}
		g := start(t, s, newDestination("a", r.deliver))
		for _, e := range newEvents(300) {
			g.keep(t, e)
		}
		g.drain(t, "a")
		for id, n := range r.counts() {
			if want := map[bool]int{false: 1, true: 3}[id == "7"]; n != want {
				t.Errorf("%s came %d times, want %d", id, n, want)
			}
		}
		if n := g.o.count(OutcomeDelivered); n != 300 {
			t.Errorf("%d were delivered", n)
		}
	})
}

func sizeOf(t testing.TB, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
