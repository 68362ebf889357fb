package dedup_test

import (
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
)

// keeping are the settings for a provider that reads answers.
var keeping = dedup.Settings{Window: time.Hour, Entries: 10_000, KeepAnswers: true}

// bodyOf returns what a repeat of the key gets; ok is false when the key is not
// done, so that the application is asked again.
func bodyOf(t *testing.T, m *dedup.Memory, k dedup.Key) (body string, ok bool) {
	t.Helper()
	claim, answer, err := m.Claim(gone, k)
	if err != nil {
		t.Fatal(err)
	}
	if claim != nil {
		claim.Release()
		return "", false
	}
	if answer == nil {
		t.Fatal("a duplicate without its answer")
	}
	return string(answer.Body), true
}

// TestAnswerIsGivenBack gives every repeat the first answer, as it was.
func TestAnswerIsGivenBack(t *testing.T) {
	m := dedup.New(keeping, new(dedup.Waiters), newClock().now)
	first := &dedup.Answer{Status: 201, ContentType: "application/json", Body: []byte(`{"responses":[]}`)}
	take(t, m, t.Context(), key(1)).Commit(first)
	take(t, m, t.Context(), key(2)).Commit(&dedup.Answer{Status: 204})
	for range 3 {
		claim, answer, err := m.Claim(t.Context(), key(1))
		if claim != nil || answer != first || err != nil {
			t.Errorf("Claim = %v, %v, %v; want the first answer", claim, answer, err)
		}
	}
	if body, ok := bodyOf(t, m, key(2)); body != "" || !ok {
		t.Errorf("%q, %v; want the empty body", body, ok)
	}
}

// TestWaiterGetsTheAnswer gives the answer to a repeat that came while the first
// was under way.
func TestWaiterGetsTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, m *dedup.Memory, waiters *dedup.Waiters) {
		m.Set(keeping)
		claim := take(t, m, t.Context(), key(1))
		waiting := waiter(t.Context(), m, key(1))
		claim.Commit(&dedup.Answer{Body: []byte("hello")})
		if r := wantResult(t, waiting, "duplicate", 0); r.answer == nil || string(r.answer.Body) != "hello" {
			t.Errorf("answer %v, want the first one", r.answer)
		}

		// An answer that cannot be kept sends the waiter to the application.
		claim = take(t, m, t.Context(), key(2))
		waiting = waiter(t.Context(), m, key(2))
		claim.Commit(nil)
		wantResult(t, waiting, "claim", 0).claim.Release()
	})
}

// TestAnswerIsNotKept frees the key when there is no answer to repeat: then a
// Commit is a Release.
func TestAnswerIsNotKept(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer *dedup.Answer
		kept   bool
	}{
		{"none", nil, false},
		{"just short enough", &dedup.Answer{Body: make([]byte, dedup.MaxAnswer)}, true},
		{"too long", &dedup.Answer{Body: make([]byte, dedup.MaxAnswer+1)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := dedup.New(keeping, new(dedup.Waiters), newClock().now)
			take(t, m, t.Context(), key(1)).Commit(test.answer)
			if _, ok := bodyOf(t, m, key(1)); ok != test.kept {
				t.Errorf("kept: %v, want %v", ok, test.kept)
			}
			if n := m.Len(); (n == 1) != test.kept {
				t.Errorf("%d events are remembered", n)
			}
		})
	}
}

// TestAnswersAreNotAsked is about a provider that reads none: what is passed to
// Commit does not matter.
func TestAnswersAreNotAsked(t *testing.T) {
	m := dedup.New(settings, new(dedup.Waiters), newClock().now)
	take(t, m, t.Context(), key(1)).Commit(&dedup.Answer{Body: []byte("hello")})
	claim, answer, err := m.Claim(t.Context(), key(1))
	if claim != nil || answer != nil || err != nil {
		t.Errorf("Claim = %v, %v, %v; want a duplicate without an answer", claim, answer, err)
	}
}

// TestAnswerOfALaterEvent replaces that of an earlier one with the same key.
func TestAnswerOfALaterEvent(t *testing.T) {
	clock := newClock()
	m := dedup.New(keeping, new(dedup.Waiters), clock.now)
	take(t, m, t.Context(), key(1)).Commit(&dedup.Answer{Body: []byte("old")})
	clock.advance(keeping.Window)
	if _, ok := bodyOf(t, m, key(1)); ok {
		t.Fatal("it is done after the window")
	}
	take(t, m, t.Context(), key(1)).Commit(&dedup.Answer{Body: []byte("new")})
	if body, ok := bodyOf(t, m, key(1)); body != "new" || !ok {
		t.Errorf("%q, %v; want the later answer", body, ok)
	}
}

// TestAnswerOfAnEarlierEvent is not given for a later one with the same key whose
// own could not be kept.
func TestAnswerOfAnEarlierEvent(t *testing.T) {
	for name, later := range map[string]*dedup.Answer{
		"none":     nil,
		"too long": {Body: make([]byte, dedup.MaxAnswer+1)},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			m := dedup.New(keeping, new(dedup.Waiters), clock.now)
			take(t, m, t.Context(), key(1)).Commit(&dedup.Answer{Body: []byte("old")})
			clock.advance(keeping.Window)
			take(t, m, t.Context(), key(1)).Commit(later)
			if body, ok := bodyOf(t, m, key(1)); ok {
				t.Errorf("%q, which was the answer to another event", body)
			}
		})
	}
}

// TestLateOwnerWithoutAnswer shows that an owner whose lease has passed to another
// request, and that has no answer to keep, takes nothing away from that one.
func TestLateOwnerWithoutAnswer(t *testing.T) {
	for name, none := range map[string]*dedup.Answer{
		"none":     nil,
		"too long": {Body: make([]byte, dedup.MaxAnswer+1)},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			m := dedup.New(keeping, new(dedup.Waiters), clock.now)
			late := take(t, m, gone, key(1))
			clock.advance(time.Minute)
			owner := take(t, m, t.Context(), key(1))
			late.Commit(none)
			want(t, m, key(1), claimed)
			owner.Commit(&dedup.Answer{Body: []byte("hello")})
			if body, ok := bodyOf(t, m, key(1)); body != "hello" || !ok {
				t.Errorf("%q, %v; want the owner's answer", body, ok)
			}
		})
	}
}

// TestAnswersAreBounded drops the oldest answers beyond MaxAnswers, and with them
// frees their keys.
func TestAnswersAreBounded(t *testing.T) {
	m := dedup.New(keeping, new(dedup.Waiters), newClock().now)
	answer := &dedup.Answer{Body: make([]byte, dedup.MaxAnswer)} // one for all: the test needs no 64 MiB
	const n = dedup.MaxAnswers / dedup.MaxAnswer
	for i := range n {
		take(t, m, t.Context(), key(i)).Commit(answer)
	}
	if _, ok := bodyOf(t, m, key(0)); !ok {
		t.Fatal("the oldest answer is gone before the bound is reached")
	}
	take(t, m, t.Context(), key(n)).Commit(&dedup.Answer{Body: []byte("x")})
	for i, kept := range map[int]bool{0: false, 1: true, n: true} {
		if _, ok := bodyOf(t, m, key(i)); ok != kept {
			t.Errorf("answer %d kept: %v, want %v", i, ok, kept)
		}
	}

	// What was dropped is counted no more: its place can be taken once.
	take(t, m, t.Context(), key(n+1)).Commit(&dedup.Answer{Body: make([]byte, dedup.MaxAnswer-1)})
	if _, ok := bodyOf(t, m, key(1)); !ok {
		t.Error("the second answer is gone though there was room")
	}
	// The same key again takes the place of its own answer.
	take(t, m, t.Context(), key(0)).Commit(answer)
	for i, kept := range map[int]bool{0: true, 1: false, 2: true} {
		if _, ok := bodyOf(t, m, key(i)); ok != kept {
			t.Errorf("answer %d kept: %v, want %v", i, ok, kept)
		}
	}
}

// TestReplacedAnswerIsCountedOnce shows that an answer that takes the place of
// another does not use up the room of two.
func TestReplacedAnswerIsCountedOnce(t *testing.T) {
	clock := newClock()
	m := dedup.New(dedup.Settings{Window: 48 * time.Hour, Entries: 2000, KeepAnswers: true}, new(dedup.Waiters), clock.now)
	var owners []*dedup.Claim // each late when the next one comes
	for range dedup.MaxAnswers/dedup.MaxAnswer + 1 {
		owners = append(owners, take(t, m, gone, key(1)))
		clock.advance(time.Minute)
	}
	take(t, m, t.Context(), key(0)).Commit(&dedup.Answer{Body: []byte("oldest")})
	answer := &dedup.Answer{Body: make([]byte, dedup.MaxAnswer)}
	for _, owner := range owners {
		owner.Commit(answer)
	}
	if body, ok := bodyOf(t, m, key(0)); body != "oldest" || !ok {
		t.Errorf("%q, %v; want the oldest answer", body, ok)
	}
}

// TestAnswersAreKeptNoMore drops the answers when the config asks for none, and
// their keys with them when it asks for answers again.
func TestAnswersAreKeptNoMore(t *testing.T) {
	m := dedup.New(keeping, new(dedup.Waiters), newClock().now)
	take(t, m, t.Context(), key(1)).Commit(&dedup.Answer{Body: []byte("hello")})
	m.Set(settings)
	want(t, m, key(1), done)
	m.Set(keeping)
	want(t, m, key(1), free)
	take(t, m, t.Context(), key(1)).Commit(&dedup.Answer{Body: []byte("new")})
	if body, ok := bodyOf(t, m, key(1)); body != "new" || !ok {
		t.Errorf("%q, %v; want the new answer", body, ok)
	}
}

// TestAnswersGo shows that no answer stays in memory when no key leads to it any
// more.
func TestAnswersGo(t *testing.T) {
	for _, test := range []struct {
		name   string
		forget func(m *dedup.Memory, clock *clock)
	}{
		{"evicted", func(*dedup.Memory, *clock) {}},
		{"outdated", func(m *dedup.Memory, clock *clock) {
			m.Set(keeping)
			clock.advance(keeping.Window)
		}},
		{"fewer entries", func(m *dedup.Memory, _ *clock) {
			m.Set(dedup.Settings{Window: time.Hour, Entries: 1, KeepAnswers: true})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := newClock()
			m := dedup.New(dedup.Settings{Window: time.Hour, Entries: 2, KeepAnswers: true}, new(dedup.Waiters), clock.now)
			commitAnswer := func(n int) weak.Pointer[dedup.Answer] {
				answer := &dedup.Answer{Body: make([]byte, 100)}
				take(t, m, t.Context(), key(n)).Commit(answer)
				return weak.Make(answer)
			}
			first := commitAnswer(1)
			commitAnswer(2)
			runtime.GC()
			if first.Value() == nil {
				t.Fatal("the answer is gone while its key is remembered")
			}
			test.forget(m, clock)
			last := commitAnswer(3)
			runtime.GC()
			if first.Value() != nil {
				t.Error("the answer of a forgotten key stays")
			}
			if last.Value() == nil {
				t.Error("the last answer is gone")
			}
			runtime.KeepAlive(m)
		})
	}
}
