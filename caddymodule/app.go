package caddymodule

import (
	"fmt"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

func init() {
	caddy.RegisterModule(App{})
}

// App is what the `webhooks` handlers of a configuration share: providers of
// your own, the queue, metrics, and the check that no two handlers swallow each
// other's events. It needs no configuration to be there.
type App struct {
	// Providers are providers of your own, beside the built-in ones. A handler
	// uses one by its name.
	Providers []*provider.Spec `json:"providers,omitempty"`

	// Queue is where events are kept until they are delivered. Default: SQLite, in
	// `webhooks/queue.db` in Caddy's data directory.
	Queue *QueueConfig `json:"queue,omitempty"`

	// Retention is how long, and how much of, what was delivered is kept for a
	// replay. Default: 7d and 1 GiB.
	Retention *Retention `json:"retention,omitempty"`

	logger        *zap.Logger
	providers     map[string]*provider.Provider
	queueSettings queue.Settings
	metrics       *metrics
	refusals      *sampledLog
	serving       *serving
	sources       map[string]*Handler
	destinations  map[string]*Handler // by the name of a destination
	handlers      int                 // how many there are
	warned        map[string]bool     // providers whose credentials Caddy's logs would copy
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "webhooks",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision compiles the providers, resolves where the queue is, and registers
// the metrics. It opens nothing: `caddy validate` comes here too.
func (a *App) Provision(ctx caddy.Context) error {
	a.prepare(ctx.Logger())
	var err error
	if a.providers, err = compileProviders(a.Providers); err != nil {
		return err
	}
	if a.queueSettings, err = a.resolveQueue(); err != nil {
		return err
	}
	if a.serving, err = newServing(a, ctx); err != nil {
		return err
	}
	a.metrics, err = newMetrics(ctx.GetMetricsRegistry(), a.openQueue)
	return err
}

// prepare makes what does not depend on the configuration.
func (a *App) prepare(logger *zap.Logger) {
	a.logger = logger
	a.refusals = newSampledLog(logger, "webhook refused", "more webhooks refused", "reason")
	a.sources = make(map[string]*Handler)
	a.destinations = make(map[string]*Handler)
	a.warned = make(map[string]bool)
}

// compileProviders compiles a user's own providers.
func compileProviders(specs []*provider.Spec) (map[string]*provider.Provider, error) {
	compiled := make(map[string]*provider.Provider, len(specs))
	for _, spec := range specs {
		if spec == nil {
			return nil, fmt.Errorf("a provider is null; remove it")
		}
		p, err := spec.Compile()
		if err != nil {
			return nil, err
		}
		if _, ok := provider.Get(spec.Name); ok {
			return nil, fmt.Errorf("provider %s is built in; give yours another name", spec.Name)
		}
		if compiled[spec.Name] != nil {
			return nil, fmt.Errorf("provider %s is defined twice; give one another name", spec.Name)
		}
		compiled[spec.Name] = p
	}
	return compiled, nil
}

// Start opens the queue, if a handler delivers from it, and begins to.
func (a *App) Start() error { return a.serving.start() }

// Stop ends what is being delivered, and logs what the sampling of refusals left
// out.
func (a *App) Stop() error {
	a.serving.stop()
	a.refusals.stop()
	return nil
}

// Cleanup lets go of the queue.
func (a *App) Cleanup() error {
	if a.serving == nil {
		return nil // Provision failed
	}
	return a.serving.cleanup()
}

// openQueue returns the queue, nil when no handler delivers from one.
func (a *App) openQueue() *queue.Queue {
	if a.serving == nil {
		return nil
	}
	return a.serving.open()
}

// findProvider returns a provider of a user's own, or a built-in one.
func findProvider(name string, own map[string]*provider.Provider) (*provider.Provider, error) {
	if p := own[name]; p != nil {
		return p, nil
	}
	if p, ok := provider.Get(name); ok {
		return p, nil
	}
	known := provider.Builtin()
	for name := range own {
		known = append(known, name)
	}
	sort.Strings(known[len(provider.Builtin()):])
	return nil, fmt.Errorf("unknown provider %q: use one of %s, or define it in the global options: webhooks { provider %s { ... } }", name, strings.Join(known, ", "), name)
}

// claimSource notes that a handler has a source, and refuses one that another
// handler has with other settings: a shared memory would swallow its events.
func (a *App) claimSource(h *Handler) (err error) {
	a.handlers++
	h.number = a.handlers
	if h.settings, err = settingsOf(h); err != nil {
		return err
	}
	first := a.sources[h.Source]
	if first == nil {
		a.sources[h.Source] = h
	} else if differing := differences(first.settings, h.settings); len(differing) > 0 {
		return conflictError(h.Source, first.String(), h.String(), differing)
	}
	return a.claimDestinations(h)
}

// claimDestinations notes the names of a handler's destinations, and refuses one
// that another handler has, unless both are equal: their progress is kept under
// it.
func (a *App) claimDestinations(h *Handler) error {
	for _, d := range h.Destinations {
		first := a.destinations[d.Name]
		if first == nil {
			a.destinations[d.Name] = h
		} else if first.Source != h.Source {
			return destinationConflictError(d, first.String(), h.String())
		}
	}
	return nil
}

// String names the handler in errors.
func (h *Handler) String() string {
	return fmt.Sprintf("webhooks %s, number %d in the configuration", h.Provider, h.number)
}

// conflictError says that two handlers, named by where they stand, share a
// source and differ in some settings.
func conflictError(source, first, second string, differing []string) error {
	return fmt.Errorf("two webhooks handlers have the source %q and differ in %s: %s, and %s; give one a `source` of its own",
		source, strings.Join(differing, ", "), first, second)
}

// differences lists the names of the settings in which two handlers differ.
func differences(a, b map[string]any) []string {
	var names []string
	for name, value := range a {
		if !reflect.DeepEqual(value, b[name]) {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// warnOnce warns about where a provider's credentials end up, once for each
// configuration.
func (a *App) warnOnce(providerName string, fields []zap.Field) {
	if a.warned[providerName] {
		return
	}
	a.warned[providerName] = true
	a.logger.Warn("Caddy's access and error logs copy this provider's credentials before they are removed; "+
		"filter them out as the README shows under \"Keeping credentials out of Caddy's logs\"",
		append([]zap.Field{zap.String("provider", providerName)}, fields...)...)
}

// memories holds what each source remembers, across reloads.
var memories = caddy.NewUsagePool()

// waitersKey is the key in memories of the count that all of them share.
type waitersKey struct{}

// pooled makes a value a caddy.Destructor; memory needs no destruction.
type pooled[T any] struct{ value T }

func (pooled[T]) Destruct() error { return nil }

// openMemory returns the memory of a source; closeMemory must follow.
func openMemory(source string, settings dedup.Settings) (*dedup.Memory, error) {
	waiters, _, err := memories.LoadOrNew(waitersKey{}, func() (caddy.Destructor, error) {
		return pooled[*dedup.Waiters]{new(dedup.Waiters)}, nil
	})
	if err != nil {
		return nil, err
	}
	memory, _, err := memories.LoadOrNew(source, func() (caddy.Destructor, error) {
		return pooled[*dedup.Memory]{dedup.New(settings, waiters.(pooled[*dedup.Waiters]).value, time.Now)}, nil
	})
	if err != nil {
		_, _ = memories.Delete(waitersKey{})
		return nil, err
	}
	return memory.(pooled[*dedup.Memory]).value, nil
}

func closeMemory(source string) error {
	if _, err := memories.Delete(source); err != nil {
		return err
	}
	_, err := memories.Delete(waitersKey{})
	return err
}

// Interface guards
var (
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
	_ caddy.App          = (*App)(nil)
)
