package caddymodule_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestOpaqueTarget shows that a durable site refuses a request whose target is not
// a path: what would be kept of its URL cannot be read again.
func TestOpaqueTarget(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	g := durable(t, app, "")
	for i, target := range []string{"foo:bar", "foo:bar?x=1", "mailto:a@b", "*"} {
		body, header, signature := notifly(secret, fmt.Sprint("opaque-", i))
		if status := postTarget(t, target, body, header, signature); status != http.StatusBadRequest {
			t.Errorf("POST %s is answered %d, want 400", target, status)
		}
	}
	if n := len(g.logLines("webhook refused", `"reason":"malformed"`, `"status":400`)); n != 4 {
		t.Errorf("%d lines of the log say malformed, want 4", n)
	}
	// A proxy's form of the same path is a path.
	body, header, signature := notifly(secret, "absolute")
	if status := postTarget(t, gatewayURL+"/absolute?x=1", body, header, signature); status != http.StatusOK {
		t.Errorf("a target with scheme and host is answered %d, want 200", status)
	}
	waitDelivered(t, "app")
	if n := gauge(t, "dead_letters", "app"); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	if uri := app.want(t, 1)[0].URI; uri != "/absolute?x=1" {
		t.Errorf("the application got %s", uri)
	}
}

// TestRelativeRewrite shows that a rewrite to a path without its slash loses nothing,
// with and without a queue.
func TestRelativeRewrite(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	rewrite relative
	@direct header X-Way direct
	webhooks @direct notifly {
		secret {env.SECRET}
		source /direct
	}
	@durable not header X-Way direct
	webhooks @durable notifly {
		secret {env.SECRET}
		destination app {
			to {
				%s
			}
		}
	}
	respond @direct 204
	`, app.proxy()), ownQueue(t))
	body, header, signature := notifly(secret, "1")
	wantStatus(t, 204, "/", body, header, signature, "X-Way", "direct")
	wantStatus(t, 200, "/", body, header, signature)
	waitDelivered(t, "app")
	if uri := app.want(t, 1)[0].URI; uri != "/relative" {
		t.Errorf("the application got %s", uri)
	}
}

// postTarget sends a POST with any target in its request line.
func postTarget(t *testing.T, target string, body []byte, header, value string) (status int) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", gatewayAddress, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s: %s\r\nConnection: close\r\n\r\n%s",
		target, gatewayAddress, len(body), header, value, body)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}
