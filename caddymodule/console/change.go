package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// jobPatience is how long an answer waits for a job. Most have ended by then.
const jobPatience = 2 * time.Second

// change makes the change that a form asks for.
func (v *visit) change() error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil {
		return newFailure(http.StatusBadRequest, "Not changed", "The form cannot be read, or selects too much at once.")
	}
	form := v.r.PostForm
	if !v.process.forgery.allows(v.r, v.user, form.Get("token")) {
		return forged
	}
	c, err := v.journal.control()
	if err != nil {
		return v.failureOf(v.r.Context(), err)
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), changeTimeout)
	defer cancel()
	if v.name == "pause" || v.name == "resume" {
		err = v.setPaused(ctx, c, form.Get("destination"))
	} else {
		err = v.replayOrDiscard(ctx, c, form)
	}
	if err != nil {
		return v.failureOf(ctx, err)
	}
	return nil
}

// setPaused pauses or resumes a destination.
func (v *visit) setPaused(ctx context.Context, c controller, destination string) error {
	set := c.Pause
	if v.name == "resume" {
		set = c.Resume
	}
	err := set(ctx, destination)
	v.record(v.name, destination, 1, err)
	if err == nil {
		v.redirect("./")
	}
	return err
}

// record logs a change with the name of who made it.
func (v *visit) record(action, destination string, count int64, err error) {
	fields := []zap.Field{zap.String("user", v.user), zap.String("action", action), zap.String("destination", destination), zap.Int64("count", count)}
	if err != nil {
		v.log().Error("change failed", append(fields, zap.Error(err))...)
		return
	}
	v.log().Info("changed", fields...)
}

// chosen is what a form selects.
type chosen struct {
	selections []queue.Selection
	what       string // in words
	isOne      bool   // a single event, which is replayed without a question
	form       url.Values
}

// parseChosen reads a form: an event, at one destination or all; picked dead letters; or
// the dead letters of a destination, of one cause or all.
func parseChosen(form url.Values) (chosen, error) {
	nothing := newFailure(http.StatusBadRequest, "Nothing is selected", "Select dead letters first. Go back and try again.")
	destination, cause := form.Get("destination"), form.Get("cause")
	c := chosen{form: make(url.Values)}
	keep := func(names ...string) {
		for _, name := range names {
			if form.Has(name) {
				c.form[name] = form[name]
			}
		}
	}
	switch {
	case form.Has("event"):
		key, err := envelope.ParseKey(form.Get("event"))
		if err != nil {
			return c, nothing
		}
		c.selections = []queue.Selection{{Keys: []envelope.Key{key}, Destination: destination}}
		c.what, c.isOne = "this event at "+destination, true
		if destination == "" {
			c.what = "this event at all its destinations"
		}
		keep("event", "destination")
	case form.Has("group"):
		if destination == "" {
			return c, nothing
		}
		c.selections = []queue.Selection{{Dead: true, Destination: destination, Cause: cause}}
		c.what = "the dead letters of " + destination
		if cause != "" {
			c.what += " with the cause “" + clip(cause, maxText) + "”"
		}
		keep("group", "destination", "cause")
	default:
		picked := make(map[string][]envelope.Key)
		var names []string
		for _, pick := range form["pick"] {
			id, name, _ := strings.Cut(pick, " ")
			key, err := envelope.ParseKey(id)
			if err != nil || name == "" {
				return c, nothing
			}
			if picked[name] == nil {
				names = append(names, name)
			}
			picked[name] = append(picked[name], key)
		}
		if len(names) == 0 {
			return c, nothing
		}
		for _, name := range names {
			c.selections = append(c.selections, queue.Selection{Keys: picked[name], Destination: name})
		}
		c.what = "the " + plural(int64(len(form["pick"])), "selected dead letter")
		c.isOne = len(form["pick"]) == 1
		keep("pick")
	}
	return c, nil
}

// question is the page that asks before a change.
type question struct {
	Action string // replay or discard
	What   string
	Count  int64
	Fields url.Values
	Back   string
}

// replayOrDiscard begins a replay or discard, or asks first.
func (v *visit) replayOrDiscard(ctx context.Context, c controller, form url.Values) error {
	selected, err := parseChosen(form)
	if err != nil {
		return err
	}
	back := backOf(form.Get("back"))
	isConfirmed := form.Get("confirmed") != "" || v.name == "replay" && selected.isOne
	var expected int64
	if !isConfirmed {
		if expected, err = v.count(ctx, c, selected); err != nil {
			return err
		}
		selected.form.Set("back", back)
		v.render(http.StatusOK, page{name: "confirm", Title: "Are you sure?", Data: question{
			Action: v.name, What: selected.what, Count: expected, Fields: selected.form, Back: back,
		}})
		return nil
	}
	j := &job{User: v.user, Action: v.name, What: selected.what, Back: back, Began: v.now(), Expected: parseCount(form.Get("expected"))}
	if err := v.process.jobs.start(j, v.run(c, selected), v.report(selected)); err != nil {
		return err
	}
	j.wait(ctx, jobPatience)
	if j.isRunning() {
		v.redirect("jobs/" + j.ID)
		return nil
	}
	v.redirect(withJob(back, j.ID))
	return nil
}

// count returns how many deliveries a change concerns.
func (v *visit) count(ctx context.Context, c controller, selected chosen) (total int64, err error) {
	for _, s := range selected.selections {
		s.DryRun = true
		n, err := v.apply(c)(ctx, s)
		if total += n; err != nil {
			return total, err
		}
	}
	return total, nil
}

func (v *visit) apply(c controller) func(context.Context, queue.Selection) (int64, error) {
	if v.name == "discard" {
		return c.Discard
	}
	return c.Replay
}

// run returns what a job does: one selection after the other.
func (v *visit) run(c controller, selected chosen) func(context.Context, func(int64)) (int64, error) {
	apply := v.apply(c)
	return func(ctx context.Context, progress func(int64)) (total int64, err error) {
		for _, s := range selected.selections {
			s.Progress = func(n int64) { progress(total + n) }
			n, err := apply(ctx, s)
			if total += n; err != nil {
				return total, err
			}
		}
		return total, nil
	}
}

// report returns what logs the end of a job.
func (v *visit) report(selected chosen) func(*job) {
	var destinations []string
	for _, s := range selected.selections {
		destinations = append(destinations, s.Destination)
	}
	return func(j *job) { v.record(j.Action, strings.Join(destinations, ","), j.count.Load(), j.err) }
}

func parseCount(s string) int64 {
	var n int64
	_, _ = fmt.Sscan(s, &n) // it is only shown
	return max(n, 0)
}

// backOf returns the page to return to, relative to the overview; the overview for an
// address that is not a page of the console.
func backOf(back string) string {
	u, err := url.Parse(back)
	if err != nil || len(back) > maxQuery || u.Scheme != "" || u.Host != "" || strings.HasPrefix(back, "/") || strings.Contains(back, "\\") {
		return "./"
	}
	switch r := parseRoute("/" + u.Path); {
	case r.name == "event" && u.Path == "events/"+r.arg, isPage[r.name] && u.Path == r.name && r.name != "feed":
		return u.Path + encoded(u.Query())
	}
	return "./"
}

func withJob(back, id string) string {
	u, err := url.Parse(back)
	if err != nil {
		return back
	}
	query := u.Query()
	query.Set("job", id)
	return u.Path + encoded(query)
}

// jobRefresh is after how many seconds the page of a job looks again.
const jobRefresh = 1

// job shows how far a replay or discard is.
func (v *visit) job(context.Context) (page, error) {
	j := v.process.jobs.find(v.arg)
	if j == nil {
		return page{}, newFailure(http.StatusNotFound, "Not known any more",
			"This gateway does not remember the job: it ended long ago, or the gateway was restarted, or another gateway runs it. Caddy's log has its end.")
	}
	p := page{name: "job", Title: j.Progress(), Data: j}
	if j.isRunning() {
		p.Refresh, p.Reload = jobRefresh, jobRefresh
	}
	return p, nil
}

// Progress says in words how far the job is.
func (j *job) Progress() string {
	n := j.count.Load()
	done, doing := "replayed", "Replaying"
	if j.Action == "discard" {
		done, doing = "discarded", "Discarding"
	}
	switch {
	case j.isRunning() && j.Expected > 0:
		return fmt.Sprintf("%s: %s of %s so far.", doing, humanize.Comma(n), deliveriesOf(j.Expected))
	case j.isRunning():
		return fmt.Sprintf("%s: %s so far.", doing, humanize.Comma(n))
	case j.err == nil && n == 0:
		return "Nothing to " + j.Action + ": nothing matched any more."
	case j.err == nil:
		return fmt.Sprintf("%s %s.", deliveriesOf(n), done)
	case errors.Is(j.err, queue.ErrUnknown):
		return fmt.Sprintf("Not %s: it is not in the queue any more.", done)
	case errors.Is(j.err, context.Canceled):
		return fmt.Sprintf("Cut short: %s %s before the gateway stopped.", deliveriesOf(n), done)
	}
	return fmt.Sprintf("Failed: %s %s, then the queue did not answer. Caddy's log says why.", deliveriesOf(n), done)
}

// deliveriesOf returns a number of deliveries.
func deliveriesOf(n int64) string {
	if n == 1 {
		return "1 delivery"
	}
	return humanize.Comma(n) + " deliveries"
}

// IsRunning reports whether the job goes on.
func (j *job) IsRunning() bool { return j.isRunning() }

// Failed reports whether the job ended with an error.
func (j *job) Failed() bool { return !j.isRunning() && j.err != nil }

// Count returns the number of deliveries so far.
func (j *job) Count() int64 { return j.count.Load() }
