package caddymodule_test

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-webhooks/caddy-webhooks/caddymodule"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// documentedKey is a value for every secret in a page: it is a key for `sign` too.
var documentedKey = "whsec_" + base64.StdEncoding.EncodeToString([]byte("a key that only these tests have"))

var (
	envPlaceholder = regexp.MustCompile(`\{\$?(?:env\.)?([A-Z][A-Z0-9_]*)\}`)
	secretFile     = regexp.MustCompile(`\{file\.(/[^}]+)\}`)

	// syntaxMark is what only a description of the syntax has.
	syntaxMark = regexp.MustCompile(`<[a-z][^<>]*>`)
)

// caddyfileParts has, by the first line or word of a snippet, the configuration around
// it; %s is its place. A snippet that begins with global options or a site is whole.
var caddyfileParts = map[string]string{
	"webhooks":      "hooks.example.com {\n%s}\n",
	"log":           "hooks.example.com {\n%s}\n",
	"reverse_proxy": "hooks.example.com {\n%s}\n",
	"handle":        "hooks.example.com {\n%s}\n",
	"handle_errors": "hooks.example.com {\n%s}\n",
	"grace_period":  "{\n%s}\n",
	"events {":      "{\n%s}\n",
	"provider":      "{\n\twebhooks {\n%s}\n}\n",
	"queue":         "{\n\twebhooks {\n%s}\n}\n",
	"retention":     "{\n\twebhooks {\n%s}\n}\n",
	"destination":   "hooks.example.com {\n\twebhooks wotnot {\n\ttoken {env.TOKEN}\n%s}\n}\n",
	"subscribe":     "hooks.example.com {\n\twebhooks ndoto {\n\ttoken {env.TOKEN}\n%s}\n}\n",
}

// rulesOfProvider are added to a snippet from the inside of a `provider`, unless it
// has them.
var rulesOfProvider = map[string]string{
	"verify": "verify token {\n\tfrom bearer\n}\n",
	"type":   "type type {\n\tmessage message.created\n}\n",
}

// wordsOfProvider may begin a snippet from the inside of a `provider`.
var wordsOfProvider = []string{
	"docs", "note", "group", "tested", "verify", "tolerance", "dedup", "form", "handshake", "reply", "events", "id", "key", "type", "time", "redact", "field", "list", "members", "when",
	"subscriptions",
}

// siteLine begins a site of its own.
var siteLine = regexp.MustCompile(`^(https?://)?([a-z0-9-]+\.)*[a-z0-9-]+(:\d+)? \{$|^:\d+ \{$`)

// configsOf returns the whole configurations that a snippet is part of.
func configsOf(t *testing.T, b docBlock) []string {
	t.Helper()
	text := regexp.MustCompile(`(?m)\A(?:#.*\n|\n)+`).ReplaceAllString(b.text, "")
	first, _, _ := strings.Cut(text, "\n")
	word, _, _ := strings.Cut(strings.TrimSpace(first), " ")
	around := cmp.Or(caddyfileParts[first], caddyfileParts[word])
	switch {
	case first == "{", siteLine.MatchString(first) && around == "":
		return []string{b.text}
	case around != "":
		return []string{strings.Replace(around, "%s", b.text, 1)}
	case slices.Contains(wordsOfProvider, word):
		return providersOf(b.text)
	}
	t.Errorf("%s: no rule for a snippet that begins with %q; add one to caddyfileParts", b, word)
	return nil
}

// providersOf makes a provider of each `verify` in a snippet, or of all of it.
func providersOf(text string) []string {
	var statements []string
	for part := range strings.SplitAfterSeq(text, "\n}\n") {
		if strings.TrimSpace(part) != "" {
			statements = append(statements, part)
		}
	}
	if strings.Count("\n"+text, "\nverify ") < 2 {
		statements = []string{text}
	}
	var configs []string
	for _, statement := range statements {
		for word, rule := range rulesOfProvider {
			if !strings.Contains("\n"+statement, "\n"+word+" ") {
				statement += rule
			}
		}
		configs = append(configs, "{\n\twebhooks {\n\t\tprovider example {\n"+statement+"}\n}\n}\n")
	}
	return configs
}

// testCaddyfiles shows that every Caddyfile in the pages is formatted as `caddy
// fmt` does, and a configuration that loads.
func (d *docs) testCaddyfiles(t *testing.T) {
	for _, b := range d.blocks("caddyfile") {
		if formatted := string(caddyfile.Format([]byte(b.text))); formatted != b.text {
			t.Errorf("%s is not formatted; caddy fmt makes of it:\n%s", b, formatted)
		}
		if syntaxMark.MatchString(b.text) {
			continue
		}
		for _, config := range configsOf(t, b) {
			adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config), nil)
			if err != nil {
				t.Errorf("%s: %v in\n%s", b, err, config)
				continue
			}
			// A plugin that is not part of Caddy has no settings to check.
			if !strings.Contains(config, " exec ") {
				d.checkLoads(t, b, adapted)
			}
		}
	}
}

func init() { caddy.RegisterModule(execPlugin{}) }

// execPlugin takes the place of events-exec, a plugin that is not part of Caddy.
type execPlugin struct {
	Words []string `json:"words"`
}

// CaddyModule returns the Caddy module information.
func (execPlugin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.exec", New: func() caddy.Module { return new(execPlugin) }}
}

// UnmarshalCaddyfile takes any words.
func (e *execPlugin) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	e.Words = d.RemainingArgs()
	return nil
}

// checkLoads loads a configuration in JSON, without running it, with a value for
// each of its secrets.
func (d *docs) checkLoads(t *testing.T, b docBlock, config []byte) {
	t.Helper()
	dir := t.TempDir()
	env := []string{"XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
	for _, match := range envPlaceholder.FindAllSubmatch(config, -1) {
		value := documentedKey
		if strings.HasSuffix(string(match[1]), "DSN") {
			value = "postgres://gateway@localhost/webhooks"
		}
		if strings.HasSuffix(string(match[1]), "HASH") {
			value = "$2a$04$nhRfD9YtCAh4lLO.5a.Die8XA7qXM9HUjZhvVg9Rkf4.wFsb45SCW"
		}
		env = append(env, string(match[1])+"="+value)
	}
	secret := filepath.Join(dir, "secret")
	path := filepath.Join(dir, "config.json")
	config = secretFile.ReplaceAll(config, []byte("{file."+secret+"}"))
	for name, content := range map[string][]byte{secret: []byte(documentedKey + "\n"), path: config} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := d.run(t, env, "validate", "--config", path); err != nil {
		t.Errorf("%s: %v: %s", b, err, out)
	}
}

// testJSON shows that all JSON in the pages is JSON, that configurations in it
// load, and that envelopes are what becomes of the fixture with their id.
func (d *docs) testJSON(t *testing.T) {
	for _, b := range d.blocks("json") {
		if !json.Valid([]byte(b.text)) {
			t.Errorf("%s is not JSON", b)
			continue
		}
		var value map[string]any
		_ = json.Unmarshal([]byte(b.text), &value) // a list has no configuration and no envelope
		if value["apps"] != nil {
			d.checkLoads(t, b, []byte(b.text))
		}
		switch name, _ := value["provider"].(string); {
		case value["specversion"] == nil:
		case slices.Contains(provider.Builtin(), name):
			checkEnvelope(t, b, value)
		default:
			d.checkOwnEnvelope(t, b, name, value)
		}
	}
}

// testRequests shows that the recorded requests of the pages can be read.
func (d *docs) testRequests(t *testing.T) {
	for _, b := range d.blocks("http") {
		if _, err := fixtures.ParseRequest([]byte(b.text)); err != nil {
			t.Errorf("%s: %v", b, err)
		}
	}
}

// checkOwnEnvelope checks that an envelope in a page is what becomes of the original
// in it, by the provider that a configuration of the same page defines.
func (d *docs) checkOwnEnvelope(t *testing.T, b docBlock, name string, shown map[string]any) {
	t.Helper()
	i := slices.IndexFunc(d.blocks("caddyfile"), func(c docBlock) bool {
		return c.page == b.page && strings.HasPrefix(c.text, "{\n") && strings.Contains(c.text, "provider "+name+" {")
	})
	if i < 0 {
		t.Errorf("%s: no configuration of that page defines provider %s", b, name)
		return
	}
	dir := t.TempDir()
	config, payload := filepath.Join(dir, "Caddyfile"), filepath.Join(dir, "payload.json")
	original, err := json.Marshal(shown["data"].(map[string]any)["original"])
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string][]byte{config: []byte(d.blocks("caddyfile")[i].text), payload: original} {
		if err = os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := d.run(t, nil, "webhooks", "explain", name, "--config", config, "--body", payload)
	_, envelope, _ := strings.Cut(out, "\n\n")
	var got map[string]any
	// Behind the envelope is the note on credentials.
	if err != nil || json.NewDecoder(strings.NewReader(envelope)).Decode(&got) != nil {
		t.Errorf("%s: %v\n%s", b, err, out)
		return
	}
	got["recordedtime"] = shown["recordedtime"]
	if !reflect.DeepEqual(got, shown) {
		t.Errorf("%s: the payload becomes\n%s", b, envelope)
	}
}
