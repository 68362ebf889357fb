package admin

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// startTail serves the live feed of a gateway without blocks, with the time limits of
// Caddy's admin endpoint or shorter ones.
func startTail(t *testing.T, keepAlive time.Duration) (*httptest.Server, *bufio.Scanner) {
	t.Helper()
	if err := caddy.Run(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	feed := tail{keepAlive, newClosing()}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := feed.ServeHTTP(w, r); err != nil {
			t.Error(err)
		}
	}))
	server.Config.ReadTimeout = 20 * time.Millisecond
	server.Config.WriteTimeout = 20 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	response, err := server.Client().Get(server.URL + "/webhooks/tail")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	for _, want := range []string{"retry: 1000", ""} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("%q, %v; want %q", lines.Text(), lines.Err(), want)
		}
	}
	return server, lines
}

// TestTailKeepAlive shows that a silent feed has comments, and that no time limit of the
// server ends it.
func TestTailKeepAlive(t *testing.T) {
	const interval = 10 * time.Millisecond
	begin := time.Now()
	_, lines := startTail(t, interval)
	for range 10 {
		for _, want := range []string{":", ""} {
			if !lines.Scan() || lines.Text() != want {
				t.Fatalf("%q, %v; want %q", lines.Text(), lines.Err(), want)
			}
		}
	}
	if took := time.Since(begin); took < 10*interval {
		t.Errorf("ten comments came within %s", took)
	}
}

// TestTailEnds shows that the feed ends, without an error for its reader, with its server
// and with the configuration.
func TestTailEnds(t *testing.T) {
	for name, end := range map[string]func(server *httptest.Server) error{
		"server": func(server *httptest.Server) error {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			return server.Config.Shutdown(ctx)
		},
		"configuration": func(*httptest.Server) error { return caddy.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			server, lines := startTail(t, time.Hour)
			if err := end(server); err != nil {
				t.Fatal(err)
			}
			if lines.Scan() || lines.Err() != nil {
				t.Errorf("%q, %v", lines.Text(), lines.Err())
			}
		})
	}
}
