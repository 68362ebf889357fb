package caddymodule_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

func adaptCaddyfile(config string) ([]byte, error) {
	adapter := caddyconfig.GetAdapter("caddyfile")
	if adapter == nil {
		return nil, errNoAdapter
	}
	adapted, _, err := adapter.Adapt([]byte(config), map[string]any{"filename": "Caddyfile"})
	return adapted, err
}

var errNoAdapter = errors.New("no caddyfile adapter")

func adapt(t testing.TB, config string) []byte {
	t.Helper()
	adapted, err := adaptCaddyfile(config)
	if err != nil {
		t.Fatal(err)
	}
	return adapted
}

// validateJSON loads a JSON configuration without starting it.
func validateJSON(config string) error {
	var c caddy.Config
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	return caddy.Validate(&c)
}

// wantLoad loads a JSON configuration, and checks its error; want is empty for
// none.
func wantLoad(t *testing.T, config, want string) {
	t.Helper()
	err := validateJSON(config)
	switch {
	case err == nil && want != "":
		t.Errorf("%s: no error, want %s", config, want)
	case err != nil && (want == "" || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: %v, want %s", config, err, want)
	}
	if err != nil {
		noteText("error of "+t.Name(), err.Error())
	}
}

// routesJSON is a configuration with handlers in one route.
func routesJSON(handlers ...string) string {
	return `{"apps":{"http":{"servers":{"s":{"listen":[":0"],"routes":[{"handle":[` + strings.Join(handlers, ",") + `]}]}}}}}`
}
