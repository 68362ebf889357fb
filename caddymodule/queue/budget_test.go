package queue

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestSizeOfSeveralLogs shows that one limit holds for all logs, and that delivered events
// of one log make room for those of another.
func TestSizeOfSeveralLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(receiver)
		g := startDeclared(t, testSettings(t), 3, newDestination("a", r.deliver))
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		size := big("0").size()
		g.q.budget.limit.Store(100 * size)
		uses, stored := g.g.uses(), 0
		for ; ; stored++ {
			// Nearly all of them are in log 1.
			log := 1
			if stored%50 == 0 {
				log = 0
			}
			if _, err := uses[log].store(t.Context(), []*Event{big(fmt.Sprint(100 + stored))}); errors.Is(err, ErrFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if stored < 98 || stored > 100 {
			t.Errorf("%d found room", stored)
		}
		if _, err := uses[2].store(t.Context(), []*Event{big("999")}); !errors.Is(err, ErrFull) {
			t.Errorf("an empty log: %v", err)
		}
		if err := g.q.Ready(t.Context()); !errors.Is(err, ErrFull) {
			t.Error(err)
		}
		if err := g.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		for i := range 10 {
			if _, err := uses[2].store(t.Context(), []*Event{big(fmt.Sprint(900 + i))}); err != nil {
				t.Fatal(err)
			}
		}
		if bytes, _ := g.q.Size(); bytes > 100*size {
			t.Errorf("%d events' bytes", bytes/size)
		}
	})
}

func TestQuota(t *testing.T) {
	var q quota
	if n := q.excess(0, 90, 100); n > 0 {
		t.Errorf("below: %d", n)
	}
	if n := q.excess(0, 130, 100); n != 30 {
		t.Errorf("one log: %d, want 30", n)
	}
	q.excess(1, 70, 100)
	if n := q.excess(0, 130, 100); n != 65 {
		t.Errorf("the larger of two: %d, want 65", n)
	}
	if n := q.excess(1, 70, 100); n != 35 {
		t.Errorf("the smaller of two: %d, want 35", n)
	}
	if n := q.excess(2, 0, 100); n != 0 {
		t.Errorf("an empty log: %d", n)
	}
}

// TestSizeOfALaterLog shows that a log that the queue gets while it is in use does not
// change the size that the configuration has set.
func TestSizeOfALaterLog(t *testing.T) {
	s := testSettings(t)
	q := openFiles(t, s, 1)
	defer q.Close()
	g := q.Serve(Service{Observer: new(watcher), Retention: s.Retention, Size: 2 * s.Size})
	defer g.Stop(t.Context())
	s.File += "-1"
	later, err := newLog(t.Context(), s, 1, nil, q.common)
	if err != nil {
		t.Fatal(err)
	}
	defer later.close()
	if _, limit := q.Size(); limit != 2*s.Size {
		t.Errorf("limit %d, want %d", limit, 2*s.Size)
	}
}
