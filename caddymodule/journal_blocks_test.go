package caddymodule_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// lastAccepted returns when a provider last sent an event, by the metric; zero if it is
// not there.
func lastAccepted(t testing.TB, provider string) time.Time {
	t.Helper()
	seconds, err := strconv.ParseFloat(metric(t, fmt.Sprintf("caddy_webhooks_last_accepted_timestamp_seconds{provider=%q}", provider)), 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMicro(int64(seconds * 1e6))
}

// TestLastAccepted shows that it is known when a block last accepted an event: across
// reloads for every block, and across restarts for one with a queue.
func TestLastAccepted(t *testing.T) {
	secret := secretIn(t, "SECRET")
	g := start(t, `
	webhooks /notifly notifly {
		secret {env.SECRET}
		destination app {
			types contact.*
			to {
				respond 204
			}
		}
	}
	webhooks /wotnot wotnot {
		token {env.SECRET}
	}
	webhooks /open wotnot {
		unverified
		source /open
	}
	respond 204
	`, ownQueue(t))
	if !blockOf(t, "/open").Unverified || blockOf(t, "/webhooks/wotnot").Unverified {
		t.Error("a block is shown as unverified if it is, and otherwise not")
	}
	if b := blockOf(t, "/webhooks/notifly"); !b.LastAccepted.IsZero() || !lastAccepted(t, "notifly").IsZero() {
		t.Errorf("before the first event: %+v", b)
	}
	body, header, signature := notifly(secret, "1") // which no destination takes
	before := time.Now()
	wantStatus(t, 200, "/notifly", body, header, signature)
	wantStatus(t, 200, "/wotnot", batch("1:a"), "token", secret)
	after := time.Now()
	isBetween := func(at time.Time) bool {
		return !at.Before(before.Truncate(time.Microsecond)) && !at.After(after.Add(time.Microsecond))
	}
	for _, provider := range []string{"notifly", "wotnot"} {
		if b := blockOf(t, "/webhooks/"+provider); !isBetween(b.LastAccepted) || !isBetween(lastAccepted(t, provider)) || b.AcceptedPerMinute != 1 {
			t.Errorf("%+v, %s", b, lastAccepted(t, provider))
		}
	}
	g.load("reloaded")
	for _, provider := range []string{"notifly", "wotnot"} {
		if b := blockOf(t, "/webhooks/"+provider); !isBetween(b.LastAccepted) || !isBetween(lastAccepted(t, provider)) {
			t.Errorf("after a reload: %+v, %s", b, lastAccepted(t, provider))
		}
	}
	g.restart()
	waitFor(t, func() bool { return isBetween(lastAccepted(t, "notifly")) })
	if b := blockOf(t, "/webhooks/notifly"); !isBetween(b.LastAccepted) || b.AcceptedPerMinute != 0 {
		t.Errorf("after a restart: %+v", b)
	}
	if b := blockOf(t, "/webhooks/wotnot"); !b.LastAccepted.IsZero() || !lastAccepted(t, "wotnot").IsZero() {
		t.Errorf("a direct block after a restart: %+v", b)
	}
}

// TestBlocksAndDestinations shows rates, and that blocks that are equal are one.
func TestBlocksAndDestinations(t *testing.T) {
	secret := secretIn(t, "SECRET")
	const block = `{
		secret {env.SECRET}
		destination app {
			backoff 1ms 1ms
			attempts 2
			to {
				@bad expression {http.webhooks.id} == "bad"
				respond @bad 500
				respond 204
			}
		}
	}
	`
	start(t, "webhooks /a notifly "+block+"webhooks /b notifly "+block, ownQueue(t))
	sendNotiflyTo(t, "/a", secret, "1", "2", "bad")
	sendNotiflyTo(t, "/b", secret, "3", "1")
	waitFor(t, func() bool { return deliveries(t, "app", "dead_letter") == 1 })
	waitDelivered(t, "app")
	found, err := runningJournal(t).Blocks(t.Context())
	if err != nil || len(found.Blocks) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	b := found.Blocks[0]
	if b.AcceptedPerMinute != 4 || len(b.Destinations) != 1 || b.Destinations[0] != "app" || sumOf(b.Hour) != [2]int64{4, 0} {
		t.Errorf("%+v", b)
	}
	all, err := runningJournal(t).Destinations(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	d := all[0]
	if d.Destination != "app" || d.DeadLetters != 1 || d.DeliveredPerSecond != 3.0/60 || d.FailedPerSecond != 2.0/60 ||
		d.TookP50MS <= 0 || d.TookP99MS < d.TookP50MS || sumOf(d.Hour) != [2]int64{3, 2} {
		t.Errorf("%+v", d)
	}
}

// sendNotiflyTo sends events with these ids to a path, each of which must be answered 200.
func sendNotiflyTo(t testing.TB, path, secret string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		body, header, signature := notifly(secret, id)
		wantStatus(t, 200, path, body, header, signature)
	}
}

func sumOf(hour []journal.Minute) (sum [2]int64) {
	for _, m := range hour {
		sum[0] += m.OK
		sum[1] += m.Bad
	}
	return sum
}

// TestLiveFeed shows the lines of a gateway with both ways of delivery, from request to
// attempt, and that the feed outlives a reload and ends with the gateway.
func TestLiveFeed(t *testing.T) {
	secret := secretIn(t, "SECRET")
	g := start(t, `
	webhooks /durable notifly {
		secret {env.SECRET}
		destination app {
			backoff 1ms 1ms
			to {
				@first expression {http.request.header.Webhook-Attempt} == "1"
				respond @first "not yet" 503
				respond 204
			}
		}
	}
	webhooks /direct wotnot {
		token {env.SECRET}
	}
	respond 204
	`, ownQueue(t))
	feed, err := runningJournal(t).Follow(queue.Search{}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	var got []string
	next := func(n int) {
		t.Helper()
		for n > 0 {
			lines, lost, err := feed.Next(t.Context())
			if err != nil || lost > 0 {
				t.Fatalf("%d lines lost, %v", lost, err)
			}
			noteJSON(t, lines)
			for _, line := range lines {
				got = append(got, shown(line))
			}
			n -= len(lines)
		}
	}
	sendNotiflyTo(t, "/durable", secret, "1")
	next(3)
	sendNotiflyTo(t, "/durable", secret, "1")
	next(1)
	g.load("reloaded")
	wantStatus(t, 200, "/direct", batch("1:a"), "token", secret)
	wantStatus(t, 200, "/direct", batch("1:a"), "token", secret)
	wantStatus(t, 401, "/direct", batch("1:a"))
	next(3)
	want := `notifly message.created accepted, app 1 retry 503 not yet, app 2 delivered 204 , notifly message.created duplicate, ` +
		`wotnot message.created accepted, wotnot message.created duplicate, wotnot missing_credential`
	if text := strings.Join(got, ", "); text != want && text != strings.Replace(want, "notifly message.created accepted, app 1 retry 503 not yet", "app 1 retry 503 not yet, notifly message.created accepted", 1) {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	loadNothing(t)
	if _, _, err := feed.Next(t.Context()); !errors.Is(err, journal.ErrFeedEnded) {
		t.Errorf("after the end: %v", err)
	}
}

// shown returns the part of a line that tests compare.
func shown(line journal.Line) string {
	switch {
	case line.Event != nil:
		return fmt.Sprintf("%s %s %s", line.Event.Provider, line.Event.Type, line.Event.Outcome)
	case line.Attempt != nil:
		a := line.Attempt
		return fmt.Sprintf("%s %d %s %d %s", a.Destination, a.Attempt, a.Outcome, a.Status, a.Excerpt)
	default:
		return fmt.Sprintf("%s %s", line.Refusal.Provider, line.Refusal.Reason)
	}
}
