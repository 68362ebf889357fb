package webhooks

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// routesOfTest are routes with a handler.
func routesOfTest() caddyhttp.RouteList {
	return caddyhttp.RouteList{{HandlersRaw: []json.RawMessage{json.RawMessage(`{"handler":"static_response"}`)}}}
}

// completedHandler returns a handler with its defaults filled in.
func completedHandler(t *testing.T, h *Handler, own ...*provider.Spec) *Handler {
	t.Helper()
	compiled, err := provider.CompileAll(own)
	if err != nil {
		t.Fatal(err)
	}
	p, err := provider.Find(h.Provider, compiled)
	if err != nil {
		t.Fatal(err)
	}
	h.provider = p
	h.Unverified = true
	if err := h.Complete(p); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestDestinationDefaults shows what a destination has that says nothing, and that
// its handler needs no entries of dedup.
func TestDestinationDefaults(t *testing.T) {
	original := &Handler{Provider: "notifly", Destinations: []*Destination{{Name: "crm", To: routesOfTest()}}}
	h := completedHandler(t, original.clone())
	want := &Destination{
		Name:        "crm",
		Attempts:    24,
		Backoff:     Backoff{First: caddy.Duration(5 * time.Second), Max: caddy.Duration(6 * time.Hour)},
		Timeout:     caddy.Duration(30 * time.Second),
		Concurrency: 16,
		Format:      "cloudevents",
		To:          routesOfTest(),
	}
	if !reflect.DeepEqual(h.Destinations[0], want) {
		t.Errorf("got %+v, want %+v", h.Destinations[0], want)
	}
	if !reflect.DeepEqual(original.Destinations[0], &Destination{Name: "crm", To: routesOfTest()}) {
		t.Errorf("completing the clone changed the original: %+v", original.Destinations[0])
	}
	if h.Dedup.Entries != 0 || h.Dedup.Window != caddy.Duration(dedup.DefaultWindow) {
		t.Errorf("dedup: %+v", h.Dedup)
	}
}

// TestDestinationHashWindow shows that the window is short where nothing but the
// hash of a batch identifies it: if nobody gets an envelope.
func TestDestinationHashWindow(t *testing.T) {
	batches, err := provider.Parse("batches", []byte("provider batches {\n verify basic\n events events\n id id\n type type\n}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		block   string
		formats []string
		want    time.Duration
	}{
		{"", nil, dedup.DefaultWindow},
		{"original", nil, dedup.DefaultHashWindow},
		{"", []string{"original", "original"}, dedup.DefaultHashWindow},
		{"original", []string{""}, dedup.DefaultHashWindow},
		{"original", []string{"cloudevents"}, dedup.DefaultWindow},
	} {
		h := &Handler{Provider: "batches", Format: c.block}
		for i, format := range c.formats {
			h.Destinations = append(h.Destinations, &Destination{Name: string(rune('a' + i)), Format: format, To: routesOfTest()})
		}
		completedHandler(t, h, batches)
		if got := time.Duration(h.Dedup.Window); got != c.want {
			t.Errorf("%q %q: %s, want %s", c.block, c.formats, got, c.want)
		}
	}
}

// TestDestinationSigner shows whose keys sign: its own, or else the handler's.
func TestDestinationSigner(t *testing.T) {
	key := "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	h := &Handler{
		Provider: "notifly", Unverified: true, Dedup: &Dedup{Off: true},
		SigningKeys: []string{key},
	}
	if err := h.ProvisionAlone(nil, time.Now); err != nil {
		t.Fatal(err)
	}
	own, err := (&Destination{SigningKeys: []string{key}}).delivery(h)
	if err != nil {
		t.Fatal(err)
	}
	inherits, err := new(Destination).delivery(h)
	if err != nil {
		t.Fatal(err)
	}
	signer := h.receiver.Signer
	if own.Signer == nil || own.Signer == signer || inherits.Signer != signer || signer == nil {
		t.Errorf("own %p, inherits %p, the handler's %p", own.Signer, inherits.Signer, signer)
	}
}

// TestClaimBeforeRoutes shows that handlers are compared by what is configured,
// also after the routes of the first are provisioned.
func TestClaimBeforeRoutes(t *testing.T) {
	app := new(App)
	app.prepare(caddy.Log())
	claim := func() *Handler {
		h := completedHandler(t, &Handler{Provider: "notifly", Destinations: []*Destination{{Name: "crm", To: routesOfTest()}}})
		if err := app.claim(h); err != nil {
			t.Fatal(err)
		}
		return h
	}
	claim().Destinations[0].To[0].HandlersRaw = nil // as provisioning leaves it
	claim()
}

// TestResolveQueue shows the defaults of the queue, and that placeholders are
// resolved.
func TestResolveQueue(t *testing.T) {
	t.Setenv("QUEUE_TEST", t.TempDir())
	defaults := queue.Settings{
		Engine:    "sqlite",
		File:      filepath.Join(caddy.AppDataDir(), "webhooks", "queue.db"),
		Retention: 7 * 24 * time.Hour,
		Size:      1 << 30,
	}
	inDir, inDatabase, kept := defaults, defaults, defaults
	inDir.File = caddy.NewReplacer().ReplaceAll("{env.QUEUE_TEST}/queue.db", "")
	inDatabase.Engine, inDatabase.File, inDatabase.DSN = "postgres", "", "host="+filepath.Dir(inDir.File)
	inDatabase.Servers = []string{}
	onServers := inDatabase
	onServers.Servers, onServers.Logs, onServers.StrictDedup = []string{"host=" + os.Getenv("QUEUE_TEST") + "/b", "host=c"}, 4, true
	kept.Retention, kept.Size = time.Hour, 1<<20
	for _, c := range []struct {
		app  *App
		want queue.Settings
	}{
		{&App{}, defaults},
		{&App{Queue: new(QueueConfig), Retention: new(Retention)}, defaults},
		{&App{Queue: &QueueConfig{Engine: "sqlite", File: "{env.QUEUE_TEST}/./queue.db"}}, inDir},
		{&App{Queue: &QueueConfig{Engine: "postgres", DSN: "host={env.QUEUE_TEST}"}}, inDatabase},
		{&App{Queue: &QueueConfig{
			Engine: "postgres", DSN: "host={env.QUEUE_TEST}", Servers: []string{"host={env.QUEUE_TEST}/b", "host=c"}, Logs: 4, StrictDedup: true,
		}}, onServers},
		{&App{Retention: &Retention{Age: caddy.Duration(time.Hour), Size: 1 << 20}}, kept},
	} {
		got, err := c.app.QueueSettings()
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("got %+v, %v; want %+v", got, err, c.want)
		}
	}
}
