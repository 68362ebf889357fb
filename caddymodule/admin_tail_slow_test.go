package caddymodule_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestTailSlowReader shows that a reader who does not read holds up nothing, and learns
// how many lines were lost.
func TestTailSlowReader(t *testing.T) {
	secret := secretIn(t, "SECRET")
	startBusy(t)
	body := openTail(t)
	const sent = 20_000
	sendMuch(t, secret, sent)

	messages := make(chan message, 2*sent)
	go readMessages(body, messages)
	var seen, lost int64
	for seen+lost < sent {
		m := receive(t, messages)
		if m.name != "lost" {
			seen++
			continue
		}
		var n int64
		if _, err := fmt.Sscanf(m.data, `{"lost":%d}`, &n); err != nil || n < 1 || m.id == "" {
			t.Fatalf("%+v: %v", m, err)
		}
		lost += n
	}
	if lost == 0 || seen == 0 || seen+lost != sent {
		t.Errorf("of %d lines, %d were seen and %d lost", sent, seen, lost)
	}
}

// TestTailStuckReader shows that a reload does not wait for a reader who does not read.
func TestTailStuckReader(t *testing.T) {
	secret := secretIn(t, "SECRET")
	g := startBusy(t)
	openTail(t)
	sendMuch(t, secret, 20_000)
	before := len(g.logLines("stopped previous server"))
	begin := time.Now()
	g.load("again")
	waitFor(t, func() bool { return len(g.logLines("stopped previous server")) > before })
	if took := time.Since(begin); took > tailEnds {
		t.Errorf("the admin endpoint ended after %s", took)
	}
	if lines := g.logLines("stopping current admin endpoint"); len(lines) > 0 {
		t.Error(lines)
	}
}

// startBusy starts a gateway that takes many events of WotNot's, and logs little.
func startBusy(t *testing.T) *gateway {
	t.Helper()
	return startAt(t, "INFO", `
	log_skip
	webhooks wotnot {
		token {env.SECRET}
	}
	respond 204
	`)
}

// sendMuch sends events with long attributes, so that their lines fill the buffers of
// the system between the gateway and a reader.
func sendMuch(t *testing.T, secret string, events int) {
	t.Helper()
	const size = 500
	long := strings.Repeat("x", 800)
	for sent := 0; sent < events; sent += size {
		items := make([]string, size)
		for i := range items {
			items[i] = fmt.Sprintf(`"%s":%d`, long, sent+i)
		}
		wantStatus(t, 200, "/", batch(items...), "Token", secret)
	}
}

// openTail follows the live feed, and reads its header only.
func openTail(t *testing.T) (body io.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", adminAddress)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	// HTTP/1.0 has no chunks.
	fmt.Fprintf(c, "GET /webhooks/tail HTTP/1.0\r\nHost: %s\r\n\r\n", adminAddress)
	read := bufio.NewReader(c)
	for {
		line, err := read.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "\r\n" {
			return read
		}
	}
}
