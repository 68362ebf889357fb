package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// publishEvent publishes an event of a block.
func publishEvent(b *BlockMemory, id, outcome string) {
	e := &envelope.Event{ID: id, Type: "message.created", Subject: "conversations/" + id, PartitionKey: id}
	b.PublishEvent(envelope.NewKey(b.source, id), e, noon, outcome, []byte(`{"text":"`+id+`"}`))
}

// attempt is an attempt to deliver an event of a block.
func attempt(b *BlockMemory, id, destination string, outcome queue.Outcome) *queue.Attempt {
	e := &queue.Event{
		Key: envelope.NewKey(b.source, id), ID: id, Provider: b.provider, Source: b.source, Type: "message.created",
		Received: noon, Body: []byte(`{"text":"` + id + `"}`),
	}
	return &queue.Attempt{Destination: destination, Delivery: queue.Delivery{Event: e, Attempt: 1}, Outcome: outcome, Took: time.Millisecond}
}

// read returns what there is to read, in a line.
func read(t *testing.T, f *Feed) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // only what is there
	var all []string
	for {
		lines, lost, err := f.Next(ctx)
		if lost > 0 {
			all = append(all, fmt.Sprintf("lost %d", lost))
		}
		for _, line := range lines {
			all = append(all, name(line))
		}
		if err != nil {
			return strings.Join(all, ", ")
		}
	}
}

func name(line Line) string {
	switch {
	case line.Event != nil:
		return line.Event.EventID + " " + line.Event.Outcome
	case line.Attempt != nil:
		return line.Attempt.EventID + " " + string(line.Attempt.Outcome) + " at " + line.Attempt.Destination
	default:
		return "refused " + line.Refusal.Reason
	}
}

func follow1(t *testing.T, m *Memory, s queue.Search, after string) *Feed {
	t.Helper()
	f, err := journalOf(nil, m).Follow(s, after)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func TestFeedSelects(t *testing.T) {
	for _, c := range []struct {
		filters []string
		want    string
	}{
		{nil, "1 accepted, 2 unrouted, refused malformed, 1 delivered at crm, 1 retry at erp, 2 dead_letter at erp, 2 handed_back at crm"},
		{[]string{"provider", "notifly"}, "1 accepted, refused malformed, 1 delivered at crm, 1 retry at erp"},
		{[]string{"provider", "wotnot"}, "2 unrouted, 2 dead_letter at erp, 2 handed_back at crm"},
		{[]string{"source", "/a"}, "1 accepted, refused malformed, 1 delivered at crm, 1 retry at erp"},
		{[]string{"since", "2026-01-02T12:00:00Z"}, "1 accepted, 2 unrouted, refused malformed, 1 delivered at crm, 1 retry at erp, 2 dead_letter at erp, 2 handed_back at crm"},
		{[]string{"until", "2026-01-02T12:00:00Z"}, ""},
		{[]string{"type", "message.*"}, "1 accepted, 2 unrouted, 1 delivered at crm, 1 retry at erp, 2 dead_letter at erp, 2 handed_back at crm"},
		{[]string{"type", "contact.*"}, ""},
		{[]string{"subject", "conversations/2"}, "2 unrouted"},
		{[]string{"partitionkey", "1"}, "1 accepted"},
		{[]string{"id", "1"}, "1 accepted, 1 delivered at crm, 1 retry at erp"},
		{[]string{"destination", "crm"}, "1 delivered at crm, 2 handed_back at crm"},
		{[]string{"state", "delivered"}, "1 delivered at crm"},
		{[]string{"state", "dead"}, "2 dead_letter at erp"},
		{[]string{"state", "retrying"}, "1 retry at erp, 2 handed_back at crm"},
		{[]string{"state", "retrying", "destination", "erp"}, "1 retry at erp"},
		{[]string{"state", "unrouted"}, "2 unrouted"},
		{[]string{"state", "waiting"}, ""},
		{[]string{"text", `"text":"2"`}, "2 unrouted, 2 dead_letter at erp, 2 handed_back at crm"},
	} {
		t.Run(strings.Join(c.filters, " "), func(t *testing.T) {
			m, _ := newTestMemory()
			a, b := m.OpenBlock("notifly", "/a"), m.OpenBlock("wotnot", "/b")
			crm, erp := m.OpenDestination("crm"), m.OpenDestination("erp")
			s, err := parse(c.filters...)
			if err != nil {
				t.Fatal(err)
			}
			f := follow1(t, m, s, "")
			publishEvent(a, "1", "accepted")
			publishEvent(b, "2", "unrouted")
			a.Refused(Exchange{Time: noon}, Refusal{Reason: "malformed"})
			crm.Attempted(attempt(a, "1", "crm", queue.OutcomeDelivered))
			erp.Attempted(attempt(a, "1", "erp", queue.OutcomeRetrying))
			erp.Attempted(attempt(b, "2", "erp", queue.OutcomeDead))
			crm.Attempted(attempt(b, "2", "crm", queue.OutcomeHandedBack))
			if got := read(t, f); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			// Whoever comes back gets the same.
			again := follow1(t, m, s, "an-id")
			if got := read(t, again); got != c.want {
				t.Errorf("again: got %s, want %s", got, c.want)
			}
		})
	}
}

// TestFeedResumes shows what a follower gets that comes back.
func TestFeedResumes(t *testing.T) {
	m, clock := newTestMemory()
	b := m.OpenBlock("notifly", "/a")
	f := follow1(t, m, queue.Search{}, "")
	var ids []string
	publish := func(from, to int) {
		t.Helper()
		for i := from; i <= to; i++ {
			publishEvent(b, fmt.Sprint(i), "accepted")
			lines, lost, err := f.Next(t.Context())
			if err != nil || lost != 0 || len(lines) != 1 {
				t.Fatalf("%d lines, %d lost, %v", len(lines), lost, err)
			}
			ids = append(ids, lines[0].ID)
		}
	}
	publish(1, 3)
	for _, c := range []struct{ after, want string }{
		{"", ""},
		{ids[0], "2 accepted, 3 accepted"},
		{ids[2], ""},
		{strings.Split(ids[0], "-")[0] + "-99", ""},
		{"other-1", "1 accepted, 2 accepted, 3 accepted"},
		{"junk", "1 accepted, 2 accepted, 3 accepted"},
	} {
		if got := read(t, follow1(t, m, queue.Search{}, c.after)); got != c.want {
			t.Errorf("after %q: %q, want %q", c.after, got, c.want)
		}
	}
	publish(4, 1002) // the first two are forgotten
	for _, c := range []struct {
		after      string
		lost, left int
	}{{ids[0], 1, 1000}, {ids[1], 0, 1000}, {ids[2], 0, 999}} {
		lines, lost, err := follow1(t, m, queue.Search{}, c.after).Next(t.Context())
		if err != nil || int(lost) != c.lost || len(lines) != c.left || lines[len(lines)-1].Event.EventID != "1002" {
			t.Errorf("after %s: %d lines, %d lost, %v", c.after, len(lines), lost, err)
		}
	}
	f.Close()
	for _, other := range *m.feed.current() {
		other.Close()
	}
	clock.at = clock.at.Add(resumable)
	publishEvent(b, "while nobody follows", "accepted")
	if got := read(t, follow1(t, m, queue.Search{}, ids[1001])); got != "while nobody follows accepted" {
		t.Errorf("after a short break: %s", got)
	}
	for _, other := range *m.feed.current() {
		other.Close()
	}
	clock.at = clock.at.Add(resumable + 1)
	publishEvent(b, "much later", "accepted")
	if b.PublishesEvents() || m.feed.bytes != 0 {
		t.Error("lines are still remembered")
	}
	if got := read(t, follow1(t, m, queue.Search{}, ids[1001])); got != "" {
		t.Errorf("after a long break: %s", got)
	}
}

// TestFeedSlowReader shows that a follower that does not read loses the oldest lines, and
// gets their number.
func TestFeedSlowReader(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines int
		text  string
		left  int // at most
	}{
		{"many lines", 5000, "", maxLines},
		{"long lines", 5000, strings.Repeat("x", 1000), maxWaitingBytes / 3000},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _ := newTestMemory()
			b := m.OpenBlock("notifly", "/a")
			f := follow1(t, m, queue.Search{}, "")
			for i := range c.lines {
				publishEvent(b, fmt.Sprint(c.text, i), "accepted")
			}
			lines, lost, err := f.Next(t.Context())
			if err != nil || len(lines)+int(lost) != c.lines || len(lines) > c.left || len(lines) == 0 {
				t.Fatalf("%d lines, %d lost, %v", len(lines), lost, err)
			}
			if last := lines[len(lines)-1].Event.EventID; last != fmt.Sprint(c.text, c.lines-1) {
				t.Errorf("the last line is %s", last)
			}
			if m.feed.bytes > maxFeedBytes {
				t.Errorf("the feed takes %d bytes", m.feed.bytes)
			}
		})
	}
}

func TestFeedEnds(t *testing.T) {
	m, _ := newTestMemory()
	b := m.OpenBlock("notifly", "/a")
	f := follow1(t, m, queue.Search{}, "")
	publishEvent(b, "1", "accepted")
	ctx, cancel := context.WithCancelCause(t.Context())
	if lines, _, err := f.Next(ctx); len(lines) != 1 || err != nil {
		t.Fatalf("%v, %v", lines, err)
	}
	gone := errors.New("gone")
	cancel(gone)
	if _, _, err := f.Next(ctx); !errors.Is(err, gone) {
		t.Errorf("a reader that is gone: %v", err)
	}
	done := make(chan error)
	go func() {
		_, _, err := f.Next(t.Context())
		done <- err
	}()
	publishEvent(b, "2", "accepted")
	if err := <-done; err != nil {
		t.Error(err)
	}
	m.Close()
	if _, _, err := f.Next(t.Context()); !errors.Is(err, ErrFeedEnded) {
		t.Errorf("after the end: %v", err)
	}
	if _, err := journalOf(nil, m).Follow(queue.Search{}, ""); !errors.Is(err, ErrFeedEnded) {
		t.Errorf("a new follower after the end: %v", err)
	}
	publishEvent(b, "3", "accepted") // by a request that is still under way
}

func TestFeedTooManyFollowers(t *testing.T) {
	m, _ := newTestMemory()
	var last *Feed
	for range maxFollowers {
		last = follow1(t, m, queue.Search{}, "")
	}
	j := journalOf(nil, m)
	if _, err := j.Follow(queue.Search{}, ""); !errors.Is(err, ErrTooManyFollowers) {
		t.Errorf("one more: %v", err)
	}
	last.Close()
	if f, err := j.Follow(queue.Search{}, ""); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
}

// TestFeedConcurrent shows that many publishers and followers, some of which come and go,
// get on: each line comes once and in order, or is counted as lost.
func TestFeedConcurrent(t *testing.T) {
	const publishers, lines, followers = 4, 500, 8
	m, _ := newTestMemory()
	b := m.OpenBlock("notifly", "/a")
	var reading, publishing sync.WaitGroup
	for i := range followers {
		s := queue.Search{}
		if i%2 == 1 {
			s.Text = "text" // every line has it
		}
		f := follow1(t, m, s, "")
		reading.Go(func() {
			var n, last int64
			for n < publishers*lines {
				got, lost, err := f.Next(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				n += int64(len(got)) + lost
				for _, line := range got {
					var number int64
					_, text, _ := strings.Cut(line.ID, "-")
					if _, err := fmt.Sscan(text, &number); err != nil || number <= last {
						t.Errorf("%d after %d", number, last)
					}
					last = number
				}
			}
			if n != publishers*lines {
				t.Errorf("%d lines and lost ones, want %d", n, publishers*lines)
			}
		})
	}
	for p := range publishers {
		publishing.Go(func() {
			for n := range lines {
				publishEvent(b, fmt.Sprint(p, "-", n), "accepted")
			}
		})
	}
	for range 4 {
		publishing.Go(func() {
			after := ""
			for range 50 {
				f, err := journalOf(nil, m).Follow(queue.Search{}, after)
				if err != nil {
					t.Error(err)
					return
				}
				if got, _, err := f.take(); err == nil && len(got) > 0 {
					after = got[len(got)-1].ID
				}
				f.Close()
			}
		})
	}
	publishing.Wait()
	reading.Wait()
}

// TestFeedFree shows that publishing costs no allocation while nobody follows.
func TestFeedFree(t *testing.T) {
	m, _ := newTestMemory()
	b, d := m.OpenBlock("notifly", "/a"), m.OpenDestination("crm")
	e, body, key := &envelope.Event{ID: "1"}, []byte("{}"), envelope.Key{}
	a := attempt(b, "1", "crm", queue.OutcomeDelivered)
	if n := testing.AllocsPerRun(100, func() {
		b.PublishEvent(key, e, noon, "accepted", body)
		b.Served(Exchange{Time: noon, Accepted: 1, Secret: 1})
		d.Attempted(a)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
