package command

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

// addConfigFlags adds the flags for the configuration that defines providers of
// the user's own.
func addConfigFlags(cmd *cobra.Command) {
	cmd.Flags().StringP("config", "c", "", "Configuration file that defines providers of your own")
	cmd.Flags().StringP("adapter", "a", "", "Name of the config adapter to apply")
}

// findProvider returns a provider: a built-in one, or one that the configuration
// file defines. own are all of the latter.
func findProvider(fl caddycmd.Flags, name string) (p *provider.Provider, own map[string]*provider.Provider, err error) {
	own, err = ownProviders(fl)
	if err != nil {
		return nil, nil, err
	}
	p, err = provider.Find(name, own)
	if err != nil && fl.String("config") == "" {
		err = fmt.Errorf("%w; for a provider of your own, add --config", err)
	}
	return p, own, err
}

// ownProviders compiles the providers that the configuration file defines, if
// there is a file.
func ownProviders(fl caddycmd.Flags) (map[string]*provider.Provider, error) {
	if fl.String("config") == "" {
		return nil, nil
	}
	config, _, _, err := caddycmd.LoadConfig(fl.String("config"), fl.String("adapter"))
	if err != nil {
		return nil, err
	}
	return providersIn(config)
}

// providersIn compiles the providers that a configuration in JSON defines.
func providersIn(config []byte) (map[string]*provider.Provider, error) {
	app, err := appIn(config)
	if err != nil {
		return nil, err
	}
	return provider.CompileAll(app.Providers)
}

// appIn returns the webhooks app of a configuration in JSON, unprovisioned; the
// zero value if it has none.
func appIn(config []byte) (*webhooks.App, error) {
	var apps struct {
		Apps struct {
			Webhooks json.RawMessage `json:"webhooks"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(config, &apps); err != nil {
		return nil, err
	}
	app := new(webhooks.App)
	if apps.Apps.Webhooks != nil {
		if err := caddy.StrictUnmarshalJSON(apps.Apps.Webhooks, app); err != nil {
			return nil, fmt.Errorf("the webhooks app: %w", err)
		}
	}
	return app, nil
}
