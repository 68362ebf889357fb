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
	m := newMonth(t)
	m.pass()
	j := running{journal.New(m.queue, m.memory, m.blocks())}
	s := newSite(t, nil)
	s.handler.source = func() (reader, error) { return j, nil }
	s.handler.now = m.now
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		repl := caddy.NewReplacer()
		repl.Set("http.auth.user.id", "ana")
		_ = s.handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl)), nil)
	}))
	t.Cleanup(server.Close)

	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.ExecPath("/usr/bin/chromium"), chromedp.Flag("hide-scrollbars", true))...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
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
		shoot(page.name, true, chromedp.Navigate(server.URL+page.path))
		shoot(page.name+"-top", false, chromedp.Navigate(server.URL+page.path))
	}
	shoot("confirm", true, chromedp.Navigate(server.URL+"/dead"), chromedp.Click(chromedp.CSS("td.actions button")), chromedp.WaitVisible(chromedp.CSS(".confirm")))
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
