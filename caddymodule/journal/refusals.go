package journal

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of what is remembered of refusals. Strangers choose some of it.
const (
	maxRefusals   = 1000
	maxCause      = 512 // bytes
	maxPath       = 256 // bytes
	maxMethod     = 16  // bytes
	maxClientIP   = 64  // bytes
	maxHeaders    = 50  // names
	maxHeaderName = 64  // bytes
)

// RefusalFilter selects refusals; empty fields select all.
type RefusalFilter struct {
	Provider string
	Reason   string
}

// Refusal is a request that was not accepted.
type Refusal struct {
	Time     time.Time `json:"time"`
	Provider string    `json:"provider"`
	Source   string    `json:"source"`
	Reason   string    `json:"reason"` // the code in log and metrics
	Status   int       `json:"status"`
	Cause    string    `json:"cause,omitempty"` // the reason in words
	ClientIP string    `json:"client_ip"`
	Method   string    `json:"method"`
	Path     string    `json:"path"`
	Size     int64     `json:"size"` // bytes of the body that were read

	// Headers are the names of the headers that were there, sorted. If the request was
	// proved, those of the proof are left out.
	Headers []string `json:"headers"`
}

// bound bounds what comes from outside.
func (r *Refusal) bound() {
	r.Cause = bounded(r.Cause, maxCause)
	r.Path = bounded(r.Path, maxPath)
	r.Method = bounded(r.Method, maxMethod)
	r.ClientIP = bounded(r.ClientIP, maxClientIP)
	slices.Sort(r.Headers)
	r.Headers = slices.Clone(r.Headers[:min(len(r.Headers), maxHeaders)]) // a part would keep the others
	for i := range r.Headers {
		r.Headers[i] = bounded(r.Headers[i], maxHeaderName)
	}
}

// Refusals is a page of refusals, the latest first.
type Refusals struct {
	Refusals []Refusal `json:"refusals"`
	Next     string    `json:"next,omitempty"`
}

// refusals are the last refusals of a gateway.
type refusals struct {
	mu sync.Mutex
	ring[Refusal]
}

func (l *refusals) add(r Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring.add(r)
}

// Refusals returns a page of refusals, the latest first.
func (j *Journal) Refusals(f RefusalFilter, p Page) (Refusals, error) {
	at, err := parseCursor(p.Cursor)
	if err != nil {
		return Refusals{}, err
	}
	name := "refusals/" + j.memory.epoch
	before, isThere := at.before(name)
	found := Refusals{Refusals: []Refusal{}}
	if !isThere {
		return found, nil // from before a restart: all of them were on an earlier page
	}
	l := &j.memory.refusals
	l.mu.Lock()
	defer l.mu.Unlock()
	if before == 0 {
		before = l.next
	}
	for n := min(before, l.next) - 1; n >= l.first; n-- {
		r := l.at(n)
		if f.Provider != "" && r.Provider != f.Provider || f.Reason != "" && r.Reason != f.Reason {
			continue
		}
		if len(found.Refusals) == p.Limit {
			found.Next = cursor{name: n + 1}.String()
			break
		}
		found.Refusals = append(found.Refusals, *r)
	}
	return found, nil
}

// toValid returns a copy of a text in UTF-8.
func toValid(text string) string { return strings.Clone(strings.ToValidUTF8(text, "\uFFFD")) }
