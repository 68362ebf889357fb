package caddymodule_test

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// tailEnds is how long a live feed may go on when its gateway ends. Caddy waits 10 s for
// the responses of its admin endpoint.
const tailEnds = 5 * time.Second

// TestTailReload shows that a reload ends the live feed at once, that nothing waits for
// its readers, and that they go on behind it.
func TestTailReload(t *testing.T) {
	secret := secretIn(t, "SECRET")
	g := startObserved(t, startApplication(t), ownQueue(t))
	f := follow(t, "?provider=wotnot")
	sendDirect(t, secret, "before")
	f.nextLine()
	for n := range 3 {
		begin := time.Now()
		g.load(fmt.Sprint("reload ", n))
		f.waitEnd(tailEnds)
		if took := time.Since(begin); took > tailEnds {
			t.Errorf("the reload took %s", took)
		}
		id := sendDirect(t, secret, fmt.Sprint("after ", n))
		f = follow(t, "?provider=wotnot", "Last-Event-ID", f.lastID)
		if line := f.nextLine(); line.Event == nil || line.Event.ID != id {
			t.Errorf("%+v", line)
		}
	}
	waitFor(t, func() bool { return len(g.logLines("stopped previous server")) >= 3 })
	if lines := g.logLines("stopping current admin endpoint"); len(lines) > 0 {
		t.Error(lines)
	}
}

// TestTailFailedReload shows that a reload that fails ends the live feed, too: Caddy
// replaces its admin endpoint before it starts the configuration.
func TestTailFailedReload(t *testing.T) {
	secret := secretIn(t, "SECRET")
	g := startObserved(t, startApplication(t), ownQueue(t))
	f := follow(t, "?provider=wotnot")
	sendDirect(t, secret, "before")
	f.nextLine()

	occupied, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer occupied.Close()
	config := g.config("fails") + fmt.Sprintf("\nhttp://%s {\n\tbind 192.0.2.1\n}\n", occupied.Addr())
	if status, text := loadConfig(t, config); status == 200 {
		t.Fatalf("it loads: %s", text)
	}
	f.waitEnd(tailEnds)
	id := sendDirect(t, secret, "after")
	f = follow(t, "?provider=wotnot", "Last-Event-ID", f.lastID)
	if line := f.nextLine(); line.Event == nil || line.Event.ID != id {
		t.Errorf("%+v", line)
	}
}

// TestTailStop shows that a process ends at once, although its feed has a follower.
func TestTailStop(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(t *testing.T, c *child){
		"signal": func(t *testing.T, c *child) {
			if err := c.process.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		},
		"api": func(t *testing.T, c *child) { c.ask(http.MethodPost, "/stop") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := startReceiver(t)
			c := newChild(t, "a", "sqlite "+filepath.Join(t.TempDir(), "queue.db"), durableSite(deliverTo("app", app, "")), "SECRET="+newSecret())
			c.startReady()
			f := followAt(t, c.admin+"/webhooks/tail")
			begin := time.Now()
			stop(t, c)
			f.waitEnd(tailEnds)
			select {
			case <-c.process.exited:
			case <-time.After(childPatience):
				t.Fatal("it does not end")
			}
			if took := time.Since(begin); took > tailEnds || c.process.err != nil {
				t.Errorf("it ended after %s: %v", took, c.process.err)
			}
		})
	}
}
