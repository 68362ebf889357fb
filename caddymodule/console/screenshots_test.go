package console

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

var screenshots = flag.String("screenshots", "", "the directory for screenshots of every page after a month of traffic")

// TestScreenshots writes screenshots of every page, if a directory is given:
//
//	go test ./caddymodule/console -run TestScreenshots -screenshots /tmp/screenshots
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("give a directory with -screenshots")
	}
	if err := os.MkdirAll(*screenshots, 0o755); err != nil {
		t.Fatal(err)
	}
	m := newMonth(t)
	m.pass()
	j := running{journal.New(m.queue, m.memory, m.blocks())}
	s := newSite(t, nil)
	s.handler.source = func() (reader, error) { return j, nil }
	s.handler.now = m.now
	serve := func(user string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			repl := caddy.NewReplacer()
			repl.Set("http.auth.user.id", user)
			_ = s.handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl)), nil)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	site := serve("ana")

	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.ExecPath("/usr/bin/chromium"), chromedp.Flag("hide-scrollbars", true))...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	shoot := func(name string, isWhole bool, steps ...chromedp.Action[chromedp.Void]) {
		for _, width := range []int64{1440, 390} {
			for _, scheme := range []string{"light", "dark"} {
				_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
				})
				if err != nil {
					t.Fatal(err)
				}
				if err = chromedp.Do(ctx, append([]chromedp.Action[chromedp.Void]{chromedp.EmulateViewport(width, 900)}, steps...)...); err != nil {
					t.Fatal(name, err)
				}
				take := chromedp.CaptureScreenshot()
				if isWhole {
					take = chromedp.FullScreenshot(100)
				}
				shot, err := chromedp.Run(ctx, take)
				if err != nil {
					t.Fatal(name, err)
				}
				writePNG(t, filepath.Join(*screenshots, fmt.Sprintf("%s-%s-%d.png", name, scheme, width)), shot)
			}
		}
	}
	event := eventToShow(t, j)
	for _, page := range []struct{ name, path string }{
		{"overview", "/"}, // first, because it shows the last minute
		{"events", "/events"}, {"filtered", "/events?provider=wotnot&type=message.*&text=order"}, {"event", "/events/" + event},
		{"dead", "/dead"}, {"group", "/dead?destination=helpdesk&cause=answered+500"}, {"refusals", "/refusals"}, {"failure", "/nothing"},
	} {
		shoot(page.name, true, chromedp.Navigate(site+page.path))
		shoot(page.name+"-top", false, chromedp.Navigate(site+page.path))
	}
	shoot("forbidden", true, chromedp.Navigate(serve("")))
	shoot("confirm", true, chromedp.Navigate(site+"/dead"), chromedp.Click(chromedp.CSS("td.actions button")), chromedp.WaitVisible(chromedp.CSS(".confirm")))

	running := &job{User: "ana", Action: "replay", What: "the dead letters of helpdesk with the cause “answered 500”", Back: "dead", Began: m.now(), Expected: 1180}
	end := make(chan struct{})
	begun := make(chan struct{})
	err := s.handler.process.jobs.start(running, func(_ context.Context, progress func(int64)) (int64, error) {
		progress(420)
		close(begun)
		<-end
		return 1180, nil
	}, func(*job) {})
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	shoot("job", true, chromedp.Navigate(site+"/jobs/"+running.ID))
	shoot("dead-job", false, chromedp.Navigate(site+"/dead"))
	close(end)
	running.wait(ctx, time.Minute)
	shoot("job-ended", true, chromedp.Navigate(site+"/dead?job="+running.ID))
	s.handler.source = func() (reader, error) { return troubled(), nil }
	s.handler.now = func() time.Time { return now }
	shoot("troubled", true, chromedp.Navigate(site+"/"))
	shoot("waiting", true, chromedp.Navigate(site+"/events/"+firstKey.String()))
}

// troubled is a young gateway with a destination in each state.
func troubled() *fake {
	f := busy()
	f.since = now.Add(-19 * time.Minute)
	young := hour(0, 0)
	for i := range f.destinations {
		copy(f.destinations[i].Hour, young[:41])
	}
	f.history.Destinations[1].State = queue.StateWaiting
	for _, d := range []queue.DestinationStatus{
		{Destination: "failing", FailedSince: now.Add(-2 * time.Minute), LastFailed: now, LastError: "dial tcp 10.0.3.7:8080: connect: connection refused", Backlog: 3, OldestUndelivered: now.Add(-2 * time.Minute)},
		{Destination: "down-and-empty", Down: true, FailedSince: now.Add(-2 * time.Minute), LastFailed: now, LastError: "answered 500", DeadLetters: 12},
		{Destination: "gone", LastFailed: now.Add(-5 * time.Minute), LastStatus: 410, LastError: "answered 410", DeadLetters: 2},
		{Destination: "paused", Paused: true, Backlog: 12, OldestUndelivered: now.Add(-time.Hour)},
		{Destination: "behind", Backlog: 12, OldestUndelivered: now.Add(-time.Hour)},
	} {
		d.Configured, d.Gateway = true, "gw"
		f.destinations = append(f.destinations, journal.Destination{DestinationStatus: d, Hour: young})
	}
	return f
}

// eventToShow returns an event with several attempts.
func eventToShow(t *testing.T, j reader) string {
	t.Helper()
	found, err := j.Events(t.Context(), queue.Search{Destination: "archive", State: queue.StateDelivered}, journal.Page{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found.Events {
		for _, d := range e.Destinations {
			if d.Destination == "archive" && d.Attempt == 2 {
				return e.Summary.ID
			}
		}
	}
	return found.Events[0].Summary.ID
}

// writePNG writes a picture with its 256 most frequent colours, which makes it small.
func writePNG(t *testing.T, path string, content []byte) {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	bounds := picture.Bounds()
	count := make(map[color.Color]int)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[picture.At(x, y)]++
		}
	}
	colors := color.Palette(slices.Collect(maps.Keys(count)))
	slices.SortFunc(colors, func(a, b color.Color) int { return count[b] - count[a] })
	colors = colors[:min(len(colors), 256)]
	nearest := make(map[color.Color]uint8)
	small := image.NewPaletted(bounds, colors)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := picture.At(x, y)
			index, ok := nearest[c]
			if !ok {
				index = uint8(colors.Index(c))
				nearest[c] = index
			}
			small.SetColorIndex(x, y, index)
		}
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, small); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
