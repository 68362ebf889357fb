package caddymodule_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// chromium is where Debian's package installs the browser.
const chromium = "/usr/bin/chromium"

// browserPatience is how long a page may take for what it is to do.
const browserPatience = 20 * time.Second

// startBrowser starts a browser without a window. Tabs are opened with browser.tab.
func startBrowser(t testing.TB) *browser {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Skipf("no browser at %s; install Debian's package chromium", chromium)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, // for root
		chromedp.Flag("lang", "en-GB"), chromedp.Env("TZ=Africa/Nairobi")) // three hours before UTC, all year
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	return &browser{ctx}
}

// browser is a running browser.
type browser struct{ ctx context.Context }

// tab is a page in a browser.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	problems []string // what the page has complained about
}

// tab opens a page. When the test ends, it must not have complained about anything: no
// exception, violation of its policy, or dialog.
func (b *browser) tab(t testing.TB) *tab {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 2*browserPatience)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx}
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, problem := range p.problems {
			t.Error("the page complains:", problem)
		}
	})
	if err := chromedp.Listen(ctx, p.note); err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.Navigate("about:blank"))
	return p
}

func (p *tab) note(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.problems = append(p.problems, e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		p.problems = append(p.problems, e.Entry.Text+" "+e.Entry.URL)
	case *page.EventJavascriptDialogOpening:
		p.problems = append(p.problems, "dialog: "+e.Message)
	case *runtime.EventConsoleAPICalled:
		p.problems = append(p.problems, "console")
	}
}

// do makes some steps.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.fatal(err)
	}
}

// open opens an address and waits until it is loaded.
func (p *tab) open(address string) {
	p.t.Helper()
	p.do(chromedp.Navigate(address))
}

// press presses keys, one after the other.
func (p *tab) press(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		p.do(chromedp.KeyEvent(key))
	}
}

// width sets the width of the window, in pixels.
func (p *tab) width(pixels int64) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(pixels, 900))
}

// withoutScript makes the pages that are opened from now on run no script.
func (p *tab) withoutScript() {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	if err != nil {
		p.fatal(err)
	}
}

// text returns the text of an element, empty if there is none.
func (p *tab) text(selector string) string {
	p.t.Helper()
	return evaluate[string](p, `document.querySelector(`+quoted(selector)+`)?.innerText ?? ""`)
}

// waitText waits until an element has a text.
func (p *tab) waitText(selector, text string) {
	p.t.Helper()
	p.wait(func() bool { return strings.Contains(p.text(selector), text) }, "no "+text+" in "+selector)
}

// wait waits until a condition holds, across pages.
func (p *tab) wait(condition func() bool, problem string) {
	p.t.Helper()
	for deadline := time.Now().Add(browserPatience); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.fatal(problem)
		}
	}
}

// fatal ends the test and shows the page.
func (p *tab) fatal(problem any) {
	p.t.Helper()
	location, _ := chromedp.Run(p.ctx, chromedp.Location())
	text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.body.innerText"))
	p.t.Fatalf("%v at %s:\n%s", problem, location, text)
}

// evaluate returns the value of an expression in the page. It is tried again if the page
// is just being replaced by another.
func evaluate[T any](p *tab, expression string) T {
	p.t.Helper()
	for deadline := time.Now().Add(browserPatience); ; time.Sleep(10 * time.Millisecond) {
		value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
		if err == nil {
			return value
		}
		if time.Now().After(deadline) || p.ctx.Err() != nil {
			p.fatal(err)
		}
	}
}

func quoted(s string) string { return "`" + strings.ReplaceAll(s, "`", "\\`") + "`" }
