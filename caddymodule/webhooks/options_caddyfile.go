package webhooks

import (
	"encoding/json"
	"math"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/dustin/go-humanize"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("webhooks", parseGlobalOption)
}

// parseGlobalOption parses the global option. Syntax:
//
//	webhooks {
//		queue     sqlite [<file>]
//		queue     postgres <dsn...> { ... }    # see queueWords
//		retention <duration> [<size>]
//		provider  <name> { ... }    # see provider.Spec.UnmarshalCaddyfile
//	}
//
// It may be there several times, and adds up.
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	app := new(App)
	if value, ok := existing.(httpcaddyfile.App); ok {
		if err := json.Unmarshal(value.Value, app); err != nil {
			return nil, err
		}
	}
	head := blocks.Read(d)
	if len(head.Args) > 0 {
		return nil, head.Errf("the global option webhooks takes no arguments, only a block")
	}
	if err := optionWords.Parse(head, "the global option webhooks", app); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "webhooks", Value: caddyconfig.JSON(app, nil)}, nil
}

// optionWords are the words of the global option.
var optionWords = blocks.Words[*App]{
	{Name: "queue", Usage: "sqlite [<file>] | postgres <dsn...>", Repeats: true, Block: true, Parse: (*App).parseQueue},
	{Name: "retention", Usage: "<duration> [<size>]", Repeats: true, Parse: (*App).parseRetention},
	{Name: "provider", Usage: "<name>", Repeats: true, Block: true, Parse: (*App).parseProvider},
}

func (a *App) parseProvider(line blocks.Line) error {
	spec := new(provider.Spec)
	if err := spec.UnmarshalCaddyfile(line.Dispenser()); err != nil {
		return err
	}
	a.Providers = append(a.Providers, spec)
	if _, err := provider.CompileAll(a.Providers); err != nil {
		return line.Errf("%v", err)
	}
	return nil
}

func (a *App) parseRetention(line blocks.Line) error {
	if a.Retention != nil {
		return line.Errf("duplicate \"retention\"; remove one")
	}
	age, err := parseDuration(line, line.Args[0])
	if err != nil {
		return err
	}
	a.Retention = &Retention{Age: age}
	if len(line.Args) > 1 {
		if a.Retention.Size, err = parseSize(line, line.Args[1]); err != nil {
			return err
		}
	}
	if err := a.Retention.check(); err != nil {
		return line.Errf("%v", err)
	}
	return nil
}

func parseSize(line blocks.Line, arg string) (int64, error) {
	size, err := humanize.ParseBytes(arg)
	if err != nil || size == 0 || size > math.MaxInt64 {
		return 0, line.Errf("`%s`: %.40q is not a size above 0, such as 1MiB or 512KiB", line.Word, arg)
	}
	return int64(size), nil
}

// appOption returns the global option as an app.
func appOption(h httpcaddyfile.Helper) (*App, error) {
	app := new(App)
	option, ok := h.Option("webhooks").(httpcaddyfile.App)
	if !ok {
		return app, nil
	}
	return app, json.Unmarshal(option.Value, app)
}
