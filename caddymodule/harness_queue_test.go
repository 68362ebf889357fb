package caddymodule_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// durable starts a gateway that queues Notifly's events and delivers them to app
// as `destination app`, with more settings for that block.
func durable(t testing.TB, app *application, settings string) *gateway {
	t.Helper()
	return start(t, fmt.Sprintf(`
	webhooks notifly {
		secret {env.SECRET}
		destination app {
			backoff 10ms 100ms
			%s
			to {
				%s
			}
		}
	}
	respond "not for the next handler" 500
	`, settings, app.proxy()), ownQueue(t))
}

// destinations starts a gateway that takes WotNot's events at /, with some
// `destination` blocks. Nothing less than a warning is logged.
func destinations(t testing.TB, blocks string) *gateway {
	t.Helper()
	return startAt(t, "INFO", fmt.Sprintf(`
	log_skip
	webhooks wotnot {
		token {env.SECRET}
		%s
	}
	`, blocks), ownQueue(t))
}

// twoDestinations starts a gateway that delivers to app as `crm` and `archive`.
func twoDestinations(t testing.TB, app *application) *gateway {
	t.Helper()
	return start(t, fmt.Sprintf(`
	webhooks notifly {
		secret {env.SECRET}
		destination crm {
			backoff 10ms 100ms
			attempts 2
			to {
				rewrite * /crm
				%[1]s
			}
		}
		destination archive {
			backoff 10ms 100ms
			to {
				rewrite * /archive
				%[1]s
			}
		}
	}
	`, app.proxy()), ownQueue(t))
}

// startWithoutCRM starts an application that answers 502 at /crm until up is set.
func startWithoutCRM(t *testing.T) (app *application, up *atomic.Bool) {
	t.Helper()
	up = new(atomic.Bool)
	app = startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if r.URL.Path == "/crm" && !up.Load() {
			w.WriteHeader(502)
			fmt.Fprint(w, "the crm is <away>")
		}
	})
	return app, up
}

// ownQueue is the global option for a queue of the test's own, with more options
// of webhooks.
func ownQueue(t testing.TB, options ...string) string {
	t.Helper()
	return queueIn(t, t.TempDir(), options...)
}

// queueIn is ownQueue in a directory of the test's own.
func queueIn(t testing.TB, dir string, options ...string) string {
	t.Helper()
	t.Cleanup(func() { loadNothing(t) }) // before the directory goes
	return fmt.Sprintf("webhooks {\n\t\tqueue sqlite %s\n\t\t%s\n\t}", filepath.Join(dir, "webhooks", "queue.db"), strings.Join(options, "\n\t\t"))
}
