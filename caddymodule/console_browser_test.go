package caddymodule_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// consoleURL is the console of consoleGateway.
var consoleURL = gatewayURL + "/console/"

// consoleGateway starts a gateway with a console, which takes Notifly's events at / for
// two destinations. crm answers 500 until isUp is set, and an event that it refuses is a
// dead letter at once; archive takes all.
func consoleGateway(t testing.TB) (g *gateway, secret string, isUp *atomic.Bool) {
	t.Helper()
	secret, isUp = secretIn(t, "SECRET"), new(atomic.Bool)
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.URL.Path == "/crm" && !isUp.Load() {
			w.WriteHeader(500)
			fmt.Fprint(w, "<b>no such table</b>")
		}
	})
	return startAt(t, "INFO", fmt.Sprintf(`
	handle_path /console/* {
		vars http.auth.user.id ana
		webhooks_console
	}
	handle {
		webhooks notifly {
			secret {env.SECRET}
			destination crm {
				attempts 1
				to {
					rewrite * /crm
					%[1]s
				}
			}
			destination archive {
				to {
					rewrite * /archive
					%[1]s
				}
			}
		}
	}
	`, app.proxy()), ownQueue(t)), secret, isUp
}

// TestConsoleInBrowser uses the console as people do.
func TestConsoleInBrowser(t *testing.T) {
	b := startBrowser(t)
	_, secret, isUp := consoleGateway(t)
	t.Run("empty", func(t *testing.T) { testConsoleEmpty(t, b) })
	sendNotifly(t, secret, "first")
	waitFor(t, func() bool { return gauge(t, "dead_letters", "crm") == 1 })

	t.Run("live", func(t *testing.T) { testConsoleLive(t, b, secret) })
	t.Run("filter", func(t *testing.T) { testConsoleFilter(t, b) })
	t.Run("without script", func(t *testing.T) { testConsoleWithoutScript(t, b) })
	t.Run("narrow", func(t *testing.T) { testConsoleNarrow(t, b) })
	isUp.Store(true)
	t.Run("replay", func(t *testing.T) { testConsoleReplay(t, b) })
	t.Run("keyboard", func(t *testing.T) { testConsoleKeyboard(t, b, isUp, secret) })
}

func testConsoleEmpty(t *testing.T, b *browser) {
	p := b.tab(t)
	p.open(consoleURL)
	p.waitText("#headline", "Both destinations deliver.")
	p.open(consoleURL + "events")
	p.waitText("main", "No event yet. Send one: caddy webhooks send notifly")
}

// testConsoleLive shows that an event appears as it comes, with what becomes of it, and
// that times are in the reader's zone.
func testConsoleLive(t *testing.T, b *browser, secret string) {
	p := b.tab(t)
	p.open(consoleURL + "events")
	p.do(chromedp.Click(chromedp.CSS(".live .button")))
	p.waitText("#live-state", "Live")
	evaluate[bool](p, "window.isSame = true")
	sendNotifly(t, secret, "live")
	p.waitText("#"+keyOf("live"), "crm ✕dead")
	p.waitText("#"+keyOf("live"), "archive ✓delivered")
	if !evaluate[bool](p, "window.isSame === true") {
		t.Error("the page was loaded again")
	}
	time := evaluate[[]string](p, `(time => [time.textContent, time.title])(document.querySelector("#rows time"))`)
	if !strings.HasSuffix(time[1], "UTC") || strings.Contains(time[0], "UTC") || evaluate[float64](p, "new Date().getTimezoneOffset()") != -180 ||
		time[0] != evaluate[string](p, `new Date(document.querySelector("#rows time").dateTime).toTimeString().slice(0, 8)`) {
		t.Errorf("time %q", time)
	}
	p.do(chromedp.Click(chromedp.CSS(".live .button"))) // stops
	p.waitText(".live", "Show new events")
}

func testConsoleFilter(t *testing.T, b *browser) {
	p := b.tab(t)
	p.open(consoleURL + "events")
	p.do(chromedp.SetValue(chromedp.CSS("input[name=type]"), "message.*"),
		chromedp.SetValue(chromedp.CSS("select[name=state]"), "dead"),
		chromedp.Click(chromedp.CSS(".filter button")))
	p.waitText(".active", "message.*")
	if address := evaluate[string](p, "location.href"); address != consoleURL+"events?state=dead&type=message.%2A" {
		t.Errorf("the address of the view is %s", address)
	}
	if n := evaluate[int](p, `document.querySelectorAll("#rows tr").length`); n != 2 {
		t.Errorf("%d events", n)
	}
	p.open(consoleURL + "events?destination=archive&state=dead")
	p.waitText("main", "No stored event matches")
	p.open(consoleURL + "events?since=yesterday")
	p.waitText("[role=alert]", "since")
}

// testConsoleWithoutScript shows that all pages, and a change, work without script.
func testConsoleWithoutScript(t *testing.T, b *browser) {
	p := b.tab(t)
	p.withoutScript()
	for path, want := range map[string]string{
		"": "2 dead letters since", "events": "message.created", "events?live=1": "message.created",
		"events/" + keyOf("first"): "no such table", "dead": "answered 500", "refusals": "No request was refused", "nothing": "No such page",
	} {
		p.open(consoleURL + path)
		p.waitText("main", want)
	}
	p.mu.Lock()
	p.problems = nil // the status of the page that is not there
	p.mu.Unlock()
	p.open(consoleURL + "dead")
	p.do(chromedp.Click(chromedp.CSS("td.actions button")))
	p.waitText("main", "2 deliveries begin again")
	p.do(chromedp.Click(chromedp.CSS("form a.button"))) // Cancel
	p.waitText("h1", "Dead letters")
}

// testConsoleNarrow shows that no page is wider than the screen of a phone.
func testConsoleNarrow(t *testing.T, b *browser) {
	p := b.tab(t)
	for _, width := range []int64{390, 1440} {
		p.width(width)
		for _, path := range []string{"", "events", "events?type=message.created&state=dead&since=2h", "events/" + keyOf("first"), "dead", "refusals"} {
			p.open(consoleURL + path)
			if got := evaluate[int64](p, "document.documentElement.scrollWidth"); got > width {
				t.Errorf("%q is %d pixels wide at %d", path, got, width)
			}
		}
	}
}

// testConsoleReplay replays the dead letters of crm.
func testConsoleReplay(t *testing.T, b *browser) {
	p := b.tab(t)
	p.open(consoleURL + "events/" + keyOf("first"))
	p.waitText("#delivery-crm", "500 failed, dead letter")
	p.waitText(".body pre", `"specversion": "1.0"`)
	p.do(chromedp.Click(chromedp.CSS("#delivery-crm form button")))
	p.waitText("#job-notice", "1 delivery replayed.")
	p.waitText("#delivery-crm h3", "delivered") // without a reload by hand
	p.waitText("#delivery-crm .timeline", "200 delivered")
	p.open(consoleURL + "dead")
	p.do(chromedp.Click(chromedp.CSS("thead .pick input")), chromedp.Click(chromedp.CSS("form .bar button")))
	p.waitText("#job-notice", "1 delivery replayed.")
	p.waitText("main", "waits here for a replay")
}

// testConsoleKeyboard gets from the overview to a replay with the keyboard alone.
func testConsoleKeyboard(t *testing.T, b *browser, isUp *atomic.Bool, secret string) {
	isUp.Store(false)
	sendNotifly(t, secret, "keys", "more keys")
	waitFor(t, func() bool { return gauge(t, "dead_letters", "crm") == 2 })
	isUp.Store(true)
	p := b.tab(t)
	p.open(consoleURL)
	p.press(kb.Tab)
	if got := evaluate[string](p, "document.activeElement.innerText"); got != "Skip to the content" {
		t.Errorf("the first stop is %q", got)
	}
	p.tabTo("Dead letters")
	p.press(kb.Enter)
	p.waitText("h1", "Dead letters")
	p.tabTo("Replay… crm: answered 500")
	p.press(kb.Enter)
	p.waitText("main", "2 deliveries begin again")
	p.tabTo("Replay 2")
	p.press(kb.Enter)
	p.waitText("#job-notice", "2 deliveries replayed.")
	waitFor(t, func() bool { return gauge(t, "dead_letters", "crm") == 0 })
}

// tabTo presses Tab until the element with a text has the focus, which can be seen.
func (p *tab) tabTo(text string) {
	p.t.Helper()
	var stops []string
	for range 60 {
		p.press(kb.Tab)
		stop := evaluate[string](p, `document.activeElement.textContent.replace(/\s+/g, " ").trim()`)
		if stop == text {
			if evaluate[string](p, "getComputedStyle(document.activeElement).outlineStyle") == "none" {
				p.t.Errorf("the focus on %q cannot be seen", text)
			}
			return
		}
		stops = append(stops, stop)
	}
	p.fatal(fmt.Sprintf("Tab does not lead to %q, only to %q", text, stops))
}
