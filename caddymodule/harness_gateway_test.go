package caddymodule_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// gateway is the Caddy in this process with one configuration.
type gateway struct {
	t       testing.TB
	logFile string
	level   string
	site    string
	global  string
	filter  string // of the default log
}

// start loads a configuration of one site; global goes into the global options.
func start(t testing.TB, site string, global ...string) *gateway {
	t.Helper()
	return startAt(t, "DEBUG", site, global...)
}

// startAt is start with a log level.
func startAt(t testing.TB, level, site string, global ...string) *gateway {
	t.Helper()
	g := newGateway(t, level, site, global...)
	// A source remembers across reloads: one without it forgets what the test
	// before has sent.
	loadNothing(t)
	g.load("")
	return g
}

// newGateway is startAt for a configuration that is yet to be loaded.
func newGateway(t testing.TB, level, site string, global ...string) *gateway {
	t.Helper()
	name := strings.NewReplacer("/", "-", " ", "_").Replace(t.Name()) + "-" + hex.EncodeToString(randomBytes(3))
	g := &gateway{
		t:       t,
		logFile: filepath.Join(logDir, name+".log"),
		level:   level,
		site:    site,
		global:  strings.Join(global, "\n"),
		filter:  documentedFilter,
	}
	t.Cleanup(func() { showLog(t, "Caddy", g.logFile) })
	t.Setenv("WEBHOOKS_TEST_SIGN", signingKey)
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

// load loads the configuration, again; a comment that differs makes it another.
func (g *gateway) load(comment string) {
	g.t.Helper()
	config := g.config(comment)
	noteText("adapted configuration of "+g.t.Name(), string(adapt(g.t, config)))
	if status, text := loadConfig(g.t, config); status != 200 {
		g.t.Fatalf("the configuration does not load: %d %s", status, text)
	}
}

// restart stops the gateway and starts it again.
func (g *gateway) restart() {
	g.t.Helper()
	loadNothing(g.t)
	g.load("again")
}

// change loads the configuration with something replaced.
func (g *gateway) change(old, new string) {
	g.t.Helper()
	if !strings.Contains(g.site, old) {
		g.t.Fatalf("no %q in the site", old)
	}
	g.site = strings.Replace(g.site, old, new, 1)
	g.load("changed")
}

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
`, adminAddress, g.level, g.logFile, g.filter, g.global, gatewayURL, comment, g.site)
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

// startCaddy starts Caddy in this process, once, with nothing to serve.
var startCaddy = sync.OnceValue(func() error {
	adapted, err := adaptCaddyfile(nothing)
	if err != nil {
		return err
	}
	return caddy.Load(adapted, true)
})

// nothing is a configuration without anything.
var nothing = "{\n\tadmin " + adminAddress + "\n\tpersist_config off\n}\n"

// loadNothing takes the configuration away and closes the queue with it: what is
// not on disk is gone, as when a process ends.
func loadNothing(t testing.TB) {
	t.Helper()
	if status, text := loadConfig(t, nothing); status != 200 {
		t.Errorf("%d %s", status, text)
	}
}

// loadConfig loads any configuration, and returns what Caddy answers.
func loadConfig(t testing.TB, config string) (status int, text string) {
	t.Helper()
	if err := startCaddy(); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, "http://"+adminAddress+"/load", strings.NewReader(config))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "text/caddyfile")
	// A POST on a connection to a server that is being closed would fail.
	client.CloseIdleConnections()
	a := do(t, r)
	client.CloseIdleConnections()
	waitOneListener(t)
	loaded = time.Now()
	noteText("answer of /load in "+t.Name(), a.body)
	return a.status, a.body
}

// loaded is when a configuration was loaded last.
var loaded time.Time
