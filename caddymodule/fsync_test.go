package caddymodule_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAnswerAfterSync slows down every sync: no answer comes before one that was
// begun after the event was written, and events that come together share one.
func TestAnswerAfterSync(t *testing.T) {
	secret := newSecret()
	to := startReceiver(t)
	c := newChild(t, "a", "sqlite "+filepath.Join(t.TempDir(), "webhooks", "queue.db"), durableSite(deliverTo("app", to, "")), "SECRET="+secret)
	c.startReady()
	to.waitTaken(t, wantGroup(t, c, secret, "before", 1, http.StatusOK))

	s := trace(t, c, fmt.Sprintf("delay_enter=%d", syncDelay.Microseconds()))
	const group = 20
	all := 0
	var longest []time.Duration
	for _, n := range []int{1, group} {
		ids, statuses, took := sendGroup(t, c, secret, fmt.Sprintf("of-%d", n), n)
		longest = append(longest, 0)
		for i := range ids {
			longest[len(longest)-1] = max(longest[len(longest)-1], took[i])
			if statuses[i] != http.StatusOK || took[i] < syncDelay {
				t.Errorf("%s was answered %d after %s, want 200 after a sync of %s", ids[i], statuses[i], took[i], syncDelay)
			}
		}
		all += n
		to.waitTaken(t, ids)
	}
	s.detach()
	a := s.readAnswers(t)
	for _, line := range a.early {
		t.Errorf("answered before a sync: %s", line)
	}
	if len(a.ofSyncs) != all {
		t.Fatalf("the trace shows %d answers of 200, want %d", len(a.ofSyncs), all)
	}
	syncs := a.ofSyncs[all-1] - a.ofSyncs[0]
	if a.ofSyncs[0] < 1 || syncs > group/2 {
		t.Errorf("%d syncs before the lone answer, %d for a group of %d", a.ofSyncs[0], syncs, group)
	}
	t.Logf("with syncs of %s, a lone event was answered after %s, the last of %d that came together after %s and %d syncs, those for deliveries among them",
		syncDelay, longest[0].Round(time.Millisecond), group, longest[1].Round(time.Millisecond), syncs)
}

// TestSyncFails has every sync fail, and then some: nothing is answered 200 that
// is not stored, and when syncs work again, so does the gateway.
func TestSyncFails(t *testing.T) {
	secret := newSecret()
	to := startReceiver(t)
	c := newChild(t, "a", "sqlite "+filepath.Join(t.TempDir(), "webhooks", "queue.db"), durableSite(deliverTo("app", to, "")), "SECRET="+secret)
	c.startReady()
	// So that what is delivered was read back after the kill.
	if status, text := c.ask(http.MethodPost, "/webhooks/pause/app"); status != http.StatusOK {
		t.Fatal(status, text)
	}
	answered := wantGroup(t, c, secret, "before", 20, http.StatusOK)

	s := trace(t, c, "error=EIO")
	wantGroup(t, c, secret, "during", 20, http.StatusServiceUnavailable)
	if status := c.ready(); status != http.StatusServiceUnavailable {
		t.Errorf("/webhooks/ready is %d while no sync succeeds", status)
	}
	if n := c.metric(`caddy_webhooks_requests_total{outcome="queue_unavailable",provider="notifly"}`); n != "20" {
		t.Errorf("%s requests were counted as queue_unavailable", n)
	}
	if log, err := os.ReadFile(c.logFile); err != nil || !strings.Contains(string(log), `"reason":"queue_unavailable"`) {
		t.Error("the log does not say queue_unavailable", err)
	}
	s.detach()
	detached := time.Now()
	waitLong(t, "events are taken again", func() bool {
		status, _, err := sendOnce(once, c.url, secret, "during-0", "during-0")
		return err == nil && status == http.StatusOK
	})
	healed := time.Since(detached)
	answered = append(answered, wantGroup(t, c, secret, "during", 20, http.StatusOK)...)

	s = trace(t, c, "error=EIO:when=1+3")
	traffic := startTraffic(t, "some", 16, 0, secret, c)
	time.Sleep(time.Second)
	s.detach()
	answered = append(answered, traffic.stop()...)

	c.kill()
	c.startReady()
	if n := to.count(); n != 0 {
		t.Errorf("%d requests came although the destination was paused", n)
	}
	if status, text := c.ask(http.MethodPost, "/webhooks/resume/app"); status != http.StatusOK {
		t.Fatal(status, text)
	}
	to.waitTaken(t, answered)
	t.Logf("healed after %s; with a third of the syncs failing, %d events were answered 200 and %d requests 503; %s",
		healed.Round(time.Millisecond), len(answered)-40, traffic.unavailable.Load(), checkRepeats(t, to.got(), nil))
}
