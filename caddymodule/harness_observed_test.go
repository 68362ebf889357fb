package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// onEngines runs a test with a queue in SQLite, and with one in PostgreSQL; queue is the
// global option.
func onEngines(t *testing.T, test func(t *testing.T, queue string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, ownQueue(t)) })
	t.Run("postgres", func(t *testing.T) {
		t.Setenv("DSN", pgtest.Start(t).Database(t))
		t.Cleanup(func() { loadNothing(t) }) // before the server goes
		test(t, "webhooks {\n\t\tqueue postgres {env.DSN}\n\t}")
	})
}

// startObserved starts a gateway that delivers Notifly's events to app as `crm` and
// `archive`, and forwards WotNot's, which come to /direct.
func startObserved(t testing.TB, app *application, queue string) *gateway {
	t.Helper()
	return start(t, fmt.Sprintf(`
	webhooks /direct wotnot {
		token {env.SECRET}
	}
	webhooks / notifly {
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
	%[1]s
	`, app.proxy()), queue)
}

// sendDirect sends an event of WotNot's, and returns its name.
func sendDirect(t testing.TB, secret, text string) (id string) {
	t.Helper()
	wantStatus(t, 200, "/direct", batch("7:"+text), "Token", secret)
	return wotnotKey("/webhooks/wotnot", "7:"+text)
}

// wotnotKey names the event that batch makes of an item.
func wotnotKey(source, item string) string {
	body := string(batch(item))
	original := strings.TrimSuffix(strings.TrimPrefix(body, `{"events":[`), `]}`)
	return envelope.NewKey(source, "\x00"+envelope.Hash(original)).String()
}

// refuseNotifly sends an event with a wrong signature.
func refuseNotifly(t testing.TB, id string) {
	t.Helper()
	body, header, _ := notifly(newSecret(), id)
	wantStatus(t, 401, "/", body, header, hexMAC(newSecret(), body))
}

// readAdmin decodes an answer of the admin API.
func readAdmin[T any](t testing.TB, uri string) (answer T) {
	t.Helper()
	status, text := adminGet(t, uri)
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 200 {
		t.Fatalf("%s: %d %s", uri, status, text)
	}
	return answer
}
