package console

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

const (
	// lateAfter is how long the oldest event may wait at a destination that answers.
	lateAfter = 5 * time.Minute

	// silentAfter is how long a block that gets an event now and then may get none.
	silentAfter = 10 * time.Minute

	// fullFrom is the part of the queue's size from which on it is nearly full. At nine
	// tenths, delivered events begin to make room: what is above that cannot go.
	fullFrom = 0.95

	// refusedAtLeast is how many refusals in a row within an hour are not a stray one.
	refusedAtLeast = 5
)

// level says how bad something is.
type level int

const (
	levelGood  level = iota
	levelNote        // look at it when there is time
	levelBad         // events are not delivered, or not taken
	levelPlain       // neither good nor bad yet
)

// Class returns the name of the level in the style sheet.
func (l level) Class() string { return [...]string{"good", "note", "bad", "plain"}[l] }

// Mark returns the sign that goes with the level.
func (l level) Mark() string { return [...]string{"✓", "▲", "✕", "○"}[l] }

// Word returns the level in a word.
func (l level) Word() string { return [...]string{"Good", "Look", "Wrong", "Open"}[l] }

// sentence is text with times in it, which the reader's browser shows in its zone.
type sentence struct {
	level
	parts []any // string or time.Time
}

// String returns the sentence with its times in UTC.
func (s sentence) String() string {
	var b strings.Builder
	for _, part := range s.parts {
		switch part := part.(type) {
		case time.Time:
			b.WriteString(part.UTC().Format("2 Jan 15:04"))
		case string:
			b.WriteString(part)
		}
	}
	return b.String()
}

// headline returns the sentence in HTML.
func headline(s sentence) template.HTML {
	var b strings.Builder
	for _, part := range s.parts {
		switch part := part.(type) {
		case time.Time:
			b.WriteString(string(moment(part, "minute")))
		case string:
			b.WriteString(string(visible(part, false)))
		}
	}
	return template.HTML(b.String())
}

func say(l level, parts ...any) sentence { return sentence{l, parts} }

// facts are what the headline is made from.
type facts struct {
	now          time.Time
	ready        error // why the queue takes no events
	hasQueue     bool
	isRead       bool // the queue could be read
	destinations []journal.Destination
	blocks       []journal.Block
	oldestDead   time.Time // when the oldest dead letter died
	newestDead   time.Time // and the newest
	bytes, limit int64     // of the queue
	downLogs     []int     // of a queue of several, those that do not answer
}

// judge says in words whether anything is wrong, the worst first. It returns at least
// one sentence.
func judge(f facts) []sentence {
	var all []sentence
	switch {
	case !f.hasQueue:
	case !f.isRead:
		all = append(all, say(levelBad, "The queue does not answer: nothing is known of deliveries."))
	case errors.Is(f.ready, queue.ErrFull):
		all = append(all, say(levelBad, "The queue is full: new events are refused with 503 until some are delivered."))
	case f.ready != nil:
		all = append(all, say(levelBad, "The queue takes no events: they are refused with 503. Caddy's log says why."))
	case float64(f.bytes) > fullFrom*float64(f.limit):
		all = append(all, say(levelNote, fmt.Sprintf("The queue is nearly full: %s of %s.", humanize.IBytes(uint64(f.bytes)), humanize.IBytes(uint64(f.limit)))))
	}
	if f.isRead && len(f.downLogs) > 0 {
		all = append(all, downLogsSentence(f.downLogs))
	}
	var dead, delivering, configured int64
	for _, d := range f.destinations {
		dead += d.DeadLetters
		if d.Configured {
			configured++
		}
		found := destinationState(d, f.now)
		if found.level == levelGood {
			if d.Configured {
				delivering++
			}
			continue
		}
		all = append(all, found.sentence(d, f.now))
	}
	for _, b := range f.blocks {
		if s, ok := blockSentence(b, f.now); ok {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b sentence) int { return cmp.Compare(b.level, a.level) })
	if f.hasQueue && f.isRead && delivering == configured && len(f.downLogs) == 0 {
		all = slices.Insert(all, firstNote(all), deliverSentence(configured))
	}
	if dead > 0 {
		all = append(all, deadSentence(dead, f.oldestDead, f.newestDead))
	}
	if len(all) == 0 {
		all = append(all, say(levelGood, noQueueSentence(f.blocks)))
	}
	return all
}

// downLogsSentence says which logs of the queue do not answer.
func downLogsSentence(logs []int) sentence {
	if len(logs) == 1 {
		return say(levelBad, fmt.Sprintf("Log %d of the queue does not answer: its events wait, and new ones are refused with 503.", logs[0]))
	}
	numbers := make([]string, len(logs))
	for i, log := range logs {
		numbers[i] = strconv.Itoa(log)
	}
	return say(levelBad, fmt.Sprintf("Logs %s of the queue do not answer: their events wait, and new ones are refused with 503.", strings.Join(numbers, ", ")))
}

// firstNote returns the place of the first sentence that is not bad.
func firstNote(all []sentence) int {
	i := slices.IndexFunc(all, func(s sentence) bool { return s.level != levelBad })
	if i < 0 {
		return len(all)
	}
	return i
}

func deliverSentence(n int64) sentence {
	switch n {
	case 0:
		return say(levelGood, "The queue is open. No block has a destination.")
	case 1:
		return say(levelGood, "The destination delivers.")
	case 2:
		return say(levelGood, "Both destinations deliver.")
	}
	return say(levelGood, fmt.Sprintf("All %d destinations deliver.", n))
}

// deadSentence says how many dead letters there are. That the first is old does not say
// whether there are new ones.
func deadSentence(n int64, oldest, newest time.Time) sentence {
	parts := []any{plural(n, "dead letter")}
	if !oldest.IsZero() {
		parts = append(parts, " since ", oldest)
	}
	if newest.Sub(oldest) >= time.Minute {
		parts = append(parts, ", the last at ", newest)
	}
	return say(levelNote, append(parts, ".")...)
}

func noQueueSentence(blocks []journal.Block) string {
	if len(blocks) == 0 {
		return "There is nothing to look at: the configuration has no `webhooks` block."
	}
	return "No block has a destination: events go straight to the application."
}

// silentSince returns when a block got its last event, if it used to get more often
// than that.
func silentSince(b journal.Block, now time.Time) (time.Time, bool) {
	silent := now.Sub(b.LastAccepted)
	if b.LastAccepted.IsZero() || silent < silentAfter {
		return time.Time{}, false
	}
	var events int64
	var first time.Time
	for _, m := range b.Hour {
		if m.OK > 0 && first.IsZero() {
			first = m.Begin
		}
		events += m.OK
	}
	if events == 0 {
		// The rate of before is not known any more. A day later, silence is nothing new.
		return b.LastAccepted, silent > time.Hour && silent < 24*time.Hour
	}
	usual := b.LastAccepted.Sub(first) / time.Duration(events)
	return b.LastAccepted, events >= refusedAtLeast && silent > 10*usual
}

// refusesAll reports whether a block has only refused lately.
func refusesAll(b journal.Block) bool {
	var refused int64
	for _, m := range slices.Backward(b.Hour) {
		if m.OK > 0 {
			break
		}
		refused += m.Bad
	}
	return refused >= refusedAtLeast && b.LastRefused.After(b.LastAccepted)
}

// blockSentence says what is wrong with a block.
func blockSentence(b journal.Block, now time.Time) (sentence, bool) {
	if refusesAll(b) {
		return say(levelBad, b.Source, " refuses everything since ", cmp.Or(b.LastAccepted, b.LastRefused),
			": "+reasonWords(b.LastRefusedReason)+"."), true
	}
	if since, ok := silentSince(b, now); ok {
		return say(levelNote, b.Source, " is silent since ", since, "."), true
	}
	return sentence{}, false
}
