package console

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// TestJudge shows what the first lines of the overview say.
func TestJudge(t *testing.T) {
	minutes := func(n int) time.Time { return now.Add(-time.Duration(n) * time.Minute) }
	delivers := func(name string) journal.Destination {
		return journal.Destination{DestinationStatus: queue.DestinationStatus{Destination: name, Configured: true, Gateway: "gw"}}
	}
	with := func(change func(*journal.Destination)) []journal.Destination {
		d := delivers("crm")
		change(&d)
		return []journal.Destination{delivers("archive"), d, delivers("mail")}
	}
	// sent is the hour of a block that got an event each minute until so many minutes ago.
	sent := func(until int, refusedAfter int64) []journal.Minute {
		all := hour(1, 0)
		for i := 60 - until; i < 60; i++ {
			all[i].OK, all[i].Bad = 0, refusedAfter
		}
		return all
	}
	healthy := []journal.Destination{delivers("archive"), delivers("crm"), delivers("mail")}
	for name, c := range map[string]struct {
		facts
		want string
	}{
		"all well":        {facts{destinations: healthy}, "good All 3 destinations deliver."},
		"one":             {facts{destinations: healthy[:1]}, "good The destination delivers."},
		"two":             {facts{destinations: healthy[:2]}, "good Both destinations deliver."},
		"no destination":  {facts{}, "good The queue is open. No block has a destination."},
		"full":            {facts{destinations: healthy, ready: queue.ErrFull}, "bad The queue is full: new events are refused with 503 until some are delivered.|good All 3 destinations deliver."},
		"a log is down":   {facts{destinations: healthy, downLogs: []int{2}}, "bad Log 2 of the queue does not answer: its events wait, and new ones are refused with 503."},
		"logs are down":   {facts{destinations: healthy, downLogs: []int{1, 3}}, "bad Logs 1, 3 of the queue do not answer: their events wait, and new ones are refused with 503."},
		"nearly full":     {facts{destinations: healthy, bytes: 973 << 20, limit: 1 << 30}, "good All 3 destinations deliver.|note The queue is nearly full: 973 MiB of 1.0 GiB."},
		"large enough":    {facts{destinations: healthy, bytes: 950 << 20, limit: 1 << 30}, "good All 3 destinations deliver."},
		"takes no events": {facts{destinations: healthy, ready: errors.New("disk")}, "bad The queue takes no events: they are refused with 503. Caddy's log says why.|good All 3 destinations deliver."},
		"dead letters": {facts{destinations: with(func(d *journal.Destination) { d.DeadLetters = 2 }), oldestDead: minutes(1440), newestDead: minutes(1440)},
			"good All 3 destinations deliver.|note 2 dead letters since 3 May 14:20."},
		"dead letters then and now": {facts{destinations: with(func(d *journal.Destination) { d.DeadLetters = 2 }), oldestDead: minutes(1440), newestDead: minutes(3)},
			"good All 3 destinations deliver.|note 2 dead letters since 3 May 14:20, the last at 4 May 14:17."},
		"down": {facts{destinations: with(func(d *journal.Destination) {
			d.Down, d.Backlog, d.FailedSince, d.OldestUndelivered = true, 1204, minutes(18), minutes(18)
		})}, "bad crm is down since 4 May 14:02: 1,204 events wait, the oldest 18 min."},
		"down with nothing waiting": {facts{destinations: with(func(d *journal.Destination) { d.Down, d.FailedSince = true, minutes(18) })}, "bad crm is down since 4 May 14:02: nothing waits."},
		"down with dead letters": {facts{destinations: with(func(d *journal.Destination) {
			d.Down, d.FailedSince, d.DeadLetters, d.LastStatus, d.LastError = true, minutes(18), 10, 500, "answered 500"
		})}, "bad crm is down since 4 May 14:02: nothing waits, and 10 dead letters can be replayed. Last failure: answered 500.|note 10 dead letters."},
		"never delivered": {facts{destinations: with(func(d *journal.Destination) {
			d.FailedSince, d.LastFailed, d.Backlog, d.LastError = minutes(2), minutes(1), 3, "connection refused"
		})}, "note crm is failing since 4 May 14:18: 3 events wait. Last failure: connection refused."},
		"failing with nothing waiting": {facts{destinations: with(func(d *journal.Destination) {
			d.FailedSince, d.LastFailed, d.DeadLetters, d.LastError = minutes(2), minutes(1), 1, "answered 500"
		})}, "note crm is failing since 4 May 14:18: nothing waits, and 1 dead letter can be replayed. Last failure: answered 500.|note 1 dead letter."},
		"gone": {facts{destinations: with(func(d *journal.Destination) {
			d.LastFailed, d.DeadLetters, d.LastStatus, d.LastError = minutes(3), 2, 410, "answered 410"
		})}, "note crm rejects events: its last answer was 410 at 4 May 14:17, which makes a dead letter at once.|note 2 dead letters."},
		"gone once": {facts{destinations: with(func(d *journal.Destination) {
			d.LastFailed, d.LastDelivered, d.DeadLetters, d.LastStatus = minutes(3), minutes(2), 2, 410
		})}, "good All 3 destinations deliver.|note 2 dead letters."},
		"failing":                 {facts{destinations: with(func(d *journal.Destination) { d.Backlog, d.FailedSince = 1, minutes(1) })}, "note crm is failing since 4 May 14:19: 1 event waits."},
		"behind":                  {facts{destinations: with(func(d *journal.Destination) { d.Backlog, d.OldestUndelivered = 40, minutes(90) })}, "note crm is behind: 40 events wait, the oldest 1 h 30 min."},
		"a short wait":            {facts{destinations: with(func(d *journal.Destination) { d.Backlog, d.OldestUndelivered = 40, minutes(1) })}, "good All 3 destinations deliver."},
		"paused":                  {facts{destinations: with(func(d *journal.Destination) { d.Paused, d.Down = true, true })}, "note crm is paused: nothing waits."},
		"no gateway":              {facts{destinations: with(func(d *journal.Destination) { d.Gateway = "" })}, "bad crm is delivered by no gateway: nothing waits."},
		"removed, with a backlog": {facts{destinations: with(func(d *journal.Destination) { d.Configured, d.Backlog = false, 2 })}, "good Both destinations deliver.|note crm is no longer configured: 2 events wait."},
		"removed":                 {facts{destinations: with(func(d *journal.Destination) { d.Configured = false })}, "good Both destinations deliver."},
		"the worst first": {facts{destinations: with(func(d *journal.Destination) { d.Down = true }), ready: queue.ErrFull, blocks: []journal.Block{{Source: "/a", LastAccepted: minutes(120)}}},
			"bad The queue is full: new events are refused with 503 until some are delivered.|bad crm is down: nothing waits.|note /a is silent since 4 May 12:20."},
		"silent for an hour":            {facts{destinations: healthy, blocks: []journal.Block{{Source: "/a", LastAccepted: minutes(20), Hour: sent(20, 0)}}}, "good All 3 destinations deliver.|note /a is silent since 4 May 14:00."},
		"not silent for long":           {facts{destinations: healthy, blocks: []journal.Block{{Source: "/a", LastAccepted: minutes(5), Hour: sent(5, 0)}}}, "good All 3 destinations deliver."},
		"seldom":                        {facts{destinations: healthy, blocks: []journal.Block{{Source: "/a", LastAccepted: minutes(50), Hour: sent(58, 0)}}}, "good All 3 destinations deliver."},
		"silent for days":               {facts{destinations: healthy, blocks: []journal.Block{{Source: "/a", LastAccepted: minutes(3000)}}}, "good All 3 destinations deliver."},
		"never sent":                    {facts{destinations: healthy, blocks: []journal.Block{{Source: "/a"}}}, "good All 3 destinations deliver."},
		"refuses everything":            {facts{destinations: healthy, blocks: []journal.Block{{Source: "/a", LastAccepted: minutes(6), LastRefused: now, LastRefusedReason: "bad_credential", Hour: sent(5, 2)}}}, "bad /a refuses everything since 4 May 14:14: bad credential.|good All 3 destinations deliver."},
		"refuses strangers and accepts": {facts{destinations: healthy, blocks: []journal.Block{{Source: "/a", LastAccepted: now, LastRefused: minutes(1), Hour: hour(1, 9)}}}, "good All 3 destinations deliver."},
		"a stray refusal":               {facts{destinations: healthy, blocks: []journal.Block{{Source: "/a", LastRefused: minutes(1), Hour: sent(2, 1)}}}, "good All 3 destinations deliver."},
	} {
		c.now, c.hasQueue, c.isRead = now, true, true
		var got []string
		for _, s := range judge(c.facts) {
			got = append(got, s.Class()+" "+s.String())
		}
		if got := strings.Join(got, "|"); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, c.want)
		}
	}
	for want, f := range map[string]facts{
		"The queue does not answer: nothing is known of deliveries.":         {hasQueue: true},
		"No block has a destination: events go straight to the application.": {blocks: make([]journal.Block, 1)},
	} {
		if got := judge(f); len(got) != 1 || got[0].String() != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
}
