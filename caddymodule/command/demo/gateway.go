package demo

import (
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"strings"
	"text/template"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

// caddyfile is the template of the gateway's configuration. It names the providers.
//
//go:embed demo.caddyfile
var caddyfile string

// Variables of the configuration.
const (
	envSecret     = "WEBHOOKS_DEMO_SECRET"
	envSigningKey = "WEBHOOKS_DEMO_SIGNING_KEY"
	envGateway    = "WEBHOOKS_DEMO_GATEWAY"
	envReceiver   = "WEBHOOKS_DEMO_RECEIVER"
	envStorage    = "WEBHOOKS_DEMO_STORAGE"
)

// gateway is Caddy with the configuration of the demo, in this process.
type gateway struct {
	url     string
	secret  string // of all providers
	config  []byte // in JSON
	storage string // directory

	samples []providerSample              // of the built-in providers in the configuration
	own     map[string]*provider.Provider // that the configuration defines
}

// startGateway starts the gateway on a free port, in front of a receiver.
func startGateway(receiver, signingKey string) (*gateway, error) {
	storage, err := os.MkdirTemp("", "caddy-webhooks-demo-")
	if err != nil {
		return nil, err
	}
	g := &gateway{secret: rand.Text(), storage: storage}
	if err := g.configure(receiver, signingKey); err != nil {
		g.stop()
		return nil, err
	}
	if err := caddy.Load(g.config, true); err != nil {
		g.stop()
		return nil, err
	}
	return g, nil
}

// configure sets the configuration, and the variables that it uses.
func (g *gateway) configure(receiver, signingKey string) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	g.url = "http://" + address
	for name, value := range map[string]string{
		envSecret:     g.secret,
		envSigningKey: signingKey,
		envGateway:    address,
		envReceiver:   receiver,
		envStorage:    g.storage,
	} {
		if err = os.Setenv(name, value); err != nil {
			return err
		}
	}
	text, err := g.writeCaddyfile()
	if err != nil {
		return err
	}
	g.config, _, err = caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "demo.caddyfile"})
	if err != nil {
		return err
	}
	var config struct {
		Apps struct {
			Webhooks webhooks.App `json:"webhooks"`
		} `json:"apps"`
	}
	if err = json.Unmarshal(g.config, &config); err != nil {
		return err
	}
	g.own, err = provider.CompileAll(config.Apps.Webhooks.Providers)
	return err
}

// writeCaddyfile returns the Caddyfile of the gateway, and sets the samples of the
// providers in it.
func (g *gateway) writeCaddyfile() (string, error) {
	t, err := template.New("demo.caddyfile").Funcs(template.FuncMap{"providers": g.addSamples}).Parse(caddyfile)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	err = t.Execute(&text, nil)
	return text.String(), err
}

// addSamples adds the samples of built-in providers, and returns all.
func (g *gateway) addSamples(names ...string) ([]providerSample, error) {
	for _, name := range names {
		s, err := newProviderSample(name)
		if err != nil {
			return nil, err
		}
		g.samples = append(g.samples, s)
	}
	return g.samples, nil
}

// restart stops Caddy, and starts it with the same configuration.
func (g *gateway) restart() error {
	if err := caddy.Stop(); err != nil {
		return err
	}
	http.DefaultClient.CloseIdleConnections() // to the gateway that has stopped
	return caddy.Load(g.config, true)
}

func (g *gateway) stop() {
	_ = caddy.Stop()
	_ = os.RemoveAll(g.storage)
}

// freeAddress returns a loopback address with a free port.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
