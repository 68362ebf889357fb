package caddymodule_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
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

	// childPatience is how long a child may take for what it is to do. It is long because
	// other work on the machine may take most of the time.
	childPatience = 3 * time.Minute
)

// durableSite is a site that queues Notifly's events and delivers them.
func durableSite(blocks ...string) string {
	return "webhooks notifly {\n\tsecret {env.SECRET}\n\t" + strings.Join(blocks, "\n\t") + "\n}"
}

// deliverTo is a `destination` block that retries soon, unless its settings say
// otherwise.
func deliverTo(name string, to *receiver, settings string) string {
	if !strings.Contains(settings, "backoff") {
		settings += "\n\tbackoff 10ms 100ms"
	}
	if !strings.Contains(settings, "concurrency") {
		settings += "\n\tconcurrency 64"
	}
	return fmt.Sprintf("destination %s {\n\t%s\n\t%s\n}", name, settings, to.to())
}

// child is a gateway in a process of its own, of the binary that users run, so
// that it can be killed.
type child struct {
	t          testing.TB
	name       string
	url, admin string
	dir, site  string
	env        []string
	logFile    string
	starts     int
	process    *childProcess // the one started last
}

// newChild prepares a gateway, which start starts: site is the content of its
// site, queue the arguments of the option. env is added to its environment.
func newChild(t testing.TB, name, queue, site string, env ...string) *child {
	t.Helper()
	c := &child{t: t, name: name, dir: t.TempDir(), site: site, env: env}
	http, admin := freeAddress(t), freeAddress(t)
	c.url, c.admin = "http://"+http, "http://"+admin
	c.logFile = filepath.Join(logDir, fmt.Sprintf("%s-%s-%s.log", strings.ReplaceAll(t.Name(), "/", "-"), name, hex.EncodeToString(randomBytes(3))))
	c.configure(queue)
	t.Cleanup(func() {
		c.kill()
		showLog(t, "gateway "+c.name, c.logFile)
	})
	return c
}

// configure writes the configuration with which the gateway starts next.
func (c *child) configure(queue string) {
	c.t.Helper()
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

%s {
	%s
	respond "not for the next handler" 500
}
`, strings.TrimPrefix(c.admin, "http://"), documentedFilter, queue, c.url, c.site)
	if err := os.WriteFile(filepath.Join(c.dir, "Caddyfile"), []byte(config), 0o600); err != nil {
		c.t.Fatal(err)
	}
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

// ready returns the status that load balancers get, 0 for no answer.
func (c *child) ready() int {
	status, _ := c.ask(http.MethodGet, "/webhooks/ready")
	return status
}

// adminClient makes a connection each time: those of a killed gateway are of no
// use.
var adminClient = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// ask makes a request to the admin endpoint. The status is 0 without an answer.
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

// stop ends the gateway in order.
func (c *child) stop() {
	c.t.Helper()
	if err := c.process.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	<-c.process.exited
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
