package caddymodule_test

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSubscriptionsUnset shows that an unset variable of one block hides nothing
// of the others, and that nothing changes for them either.
func TestSubscriptionsUnset(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, bothSides)
	start(t, bothSides)
	s.ndoto.Add(ndotoWebhook(7, "subscriptions", []string{"message_created"}))
	s.chatbot.Add(chatbotWebhook("a1", "token", ofBefore))
	const (
		advice  = "{env.WEBHOOKS_TEST_UNSET} is not set, or empty; set that variable in the environment of this process"
		ndoto   = "webhooks ndoto: subscribe: `key`: " + advice
		chatbot = "webhooks chatbot: `basic_auth`: " + advice
	)
	unsetKey := []string{"{env.NDOTO_KEY}", "{env.WEBHOOKS_TEST_UNSET}"}
	unsetPassword := []string{"{env.CHATBOT_PASSWORD}", "{env.WEBHOOKS_TEST_UNSET}"}
	for _, c := range []struct {
		name, there string
		edits       []string
		failures    []string
	}{
		{"the one of ChatBot.com", "ndoto", unsetPassword, []string{chatbot}},
		{"both", "", slices.Concat(unsetKey, unsetPassword), []string{chatbot, ndoto}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := s.with(t, edited(bothSides, c.edits...))
			for _, command := range []string{"plan", "list", "get", "apply --yes", "update --yes", "create --yes", "delete --yes"} {
				failures := c.failures
				if c.there != "" && strings.HasSuffix(command, "--yes") {
					if command == "create --yes" {
						failures = append(slices.Clone(failures), c.there)
					} else {
						failures = append(slices.Clone(failures), nothingChanged)
					}
				}
				r := v.run(strings.Fields(command)...).wantFailures(failures...)
				isShown := c.there != "" && command != "create --yes"
				if (r.stdout != "") != isShown || isShown && !strings.HasPrefix(r.stdout, c.there) || strings.Contains(r.stdout, "apply` to apply them") {
					t.Errorf("%s prints %s", command, r.stdout)
				}
				got := v.run(append(strings.Fields(command), "--json")...).wantFailures(failures...).decoded()
				inAll := slices.Clone(c.failures) // that of a block stands in the block
				if slices.Contains(failures, nothingChanged) {
					inAll = append(inAll, nothingChanged)
				}
				for _, failure := range inAll {
					if !strings.Contains(got.Error, failure) {
						t.Errorf("%s --json has the error %q, without %q", command, got.Error, failure)
					}
				}
				if c.there == "" && len(got.Subscriptions) != 0 || c.there != "" && (len(got.Subscriptions) != 1 || got.Subscriptions[0].Provider != c.there) {
					t.Errorf("%s --json has %+v", command, got)
				}
			}
			v.wantNoChanges()
		})
	}
	t.Run("a block that is named", func(t *testing.T) {
		v := s.with(t, edited(bothSides, unsetKey...))
		v.run("apply", "chatbot", "--yes").want(0, "chatbot: updated a1\n")
		v.run("update", "--yes", "--url", gatewayURL+"/chatbot").want(0, "chatbot: updated a1\n")
		wantChanges(t, v.chatbot, http.MethodPut, http.MethodPut)
		wantChanges(t, v.ndoto)
	})
}

// TestSubscriptionsStrictJSON shows that the command refuses JSON that the
// gateway does not load, and calls no provider.
func TestSubscriptionsStrictJSON(t *testing.T) {
	s := newSubscribed(t, nobodyURL)
	adapted := string(adapt(t, siteURL+" {\n"+bothSides+"\n}\n"))
	for _, c := range []struct{ name, config, sentence string }{
		{"subscribe", edited(adapted, `"key":"{env.NDOTO_KEY}"`, `"key":"{env.NDOTO_KEY}","inbocks":"4"`), `a webhooks handler: json: unknown field "inbocks"`},
		{"a handler", edited(adapted, `"provider":"ndoto"`, `"provider":"ndoto","providers":"x"`), `a webhooks handler: json: unknown field "providers"`},
		{"the app", edited(adapted, `"apps":{`, `"apps":{"webhooks":{"surprise":1},`), `the webhooks app: json: unknown field "surprise"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := *s
			s.t = t
			s.file = filepath.Join(t.TempDir(), "caddy.json")
			writeText(t, s.file, adapted)
			s.run("plan").want(0)
			s.wantNoChanges()
			writeText(t, s.file, c.config)
			if err := validateJSON(c.config); err == nil {
				t.Error("the gateway takes it")
			}
			for _, command := range []string{"plan chatbot", "list", "apply --yes", "delete --yes"} {
				if r := s.run(strings.Fields(command)...).wantFailures(c.sentence); r.stdout != "" {
					t.Errorf("%s prints %s", command, r.stdout)
				}
			}
			if got := s.run("apply", "--yes", "--json").wantFailures(c.sentence).decoded(); got.Error != c.sentence {
				t.Errorf("in JSON: %+v", got)
			}
			s.wantNotCalled()
		})
	}
}

// TestSubscriptionsConfigurations shows where blocks may be, and which are
// selected.
func TestSubscriptionsConfigurations(t *testing.T) {
	s := newSubscribed(t, siteURL)
	const both = "  = a1 is up to date\nndoto, account 1: "
	t.Run("handle and route", func(t *testing.T) {
		v := s.with(t, "handle {\n"+bothSides+"\n}\nroute /other/* {\nhandle_path /other/* {\n"+bothSides+"\n}\n}")
		if r := v.run("plan").want(0, both); strings.Count(r.stdout, "\n") != 4 {
			t.Error(r.stdout)
		}
	})
	t.Run("a snippet imported twice", func(t *testing.T) {
		v := s.with(t, "{\n}\n(hooks) {\n"+bothSides+"\n}\nhttps://a.example.com, https://b.example.com {\nimport hooks\n}\nhttps://hooks.example.com {\nimport hooks\n}\n")
		if r := v.run("plan").want(0, both); strings.Count(r.stdout, "\n") != 4 {
			t.Error(r.stdout)
		}
	})
	t.Run("a snippet imported with different URLs", func(t *testing.T) {
		snippet := edited(bothSides, "{env.SITE}/ndoto", "{args[0]}/ndoto", "{env.SITE}/chatbot", "{args[0]}/chatbot")
		v := s.with(t, "{\n}\n(hooks) {\n"+snippet+"\n}\nhttps://hooks.example.com {\nimport hooks https://hooks.example.com\n}\nhttps://b.example.com {\nimport hooks https://b.example.com\n}\n")
		v.run("plan").want(2, "= a1 is up to date", "= 7 is up to date", "+ url     https://b.example.com/ndoto?token=…", "2 changes")
		v.run("plan", "--url", "https://HOOKS.example.com:443/ndoto?any=1").want(0, "= 7 is up to date")
		v.run("plan", "ndoto", "--url", "https://b.example.com/ndoto").want(2, "1 change;")
		v.run("plan", "ndoto", "--url", "https://b.example.com/nowhere?x=1").wantFailures("has no block `webhooks ndoto` with a `subscribe` to https://b.example.com/nowhere?x=…")
		v.run("get", "ndoto", "7", "--url", "https://b.example.com/ndoto").want(0, "id      7")
	})
	t.Run("JSON", func(t *testing.T) {
		v := s.with(t, bothSides)
		file := filepath.Join(t.TempDir(), "caddy.json")
		writeText(t, file, string(adapt(t, "https://hooks.example.com {\n"+bothSides+"\n}\n")))
		v.file = file
		v.run("plan").want(0, both)
	})
	t.Run("another adapter's name", func(t *testing.T) {
		v := s.with(t, bothSides)
		file := filepath.Join(t.TempDir(), "gateway.conf")
		writeText(t, file, "https://hooks.example.com {\n"+bothSides+"\n}\n")
		v.file = file
		v.run("plan", "--adapter", "caddyfile").want(0, both)
		v.run("plan").wantFailures("config is not valid JSON")
	})
	s.wantNoChanges()
}

// TestSubscriptionsConfigurationErrors pins the errors for configurations without
// a usable block.
func TestSubscriptionsConfigurationErrors(t *testing.T) {
	s := newSubscribed(t, siteURL)
	t.Setenv("EMPTY", "")
	t.Setenv("NO_URL", "hooks.example.com")
	for _, c := range []struct {
		name, config string
		args         []string
		sentence     string
	}{
		{"no block", "respond hello", []string{"plan"}, "has no block `webhooks`"},
		{"no block of the provider", bothSides, []string{"plan", "notifly"}, "has no block `webhooks notifly`; it has `webhooks "},
		{"an unknown provider", bothSides, []string{"plan", "github"}, "has no block `webhooks github`; it has `webhooks "},
		{"a URL, and no subscribe", "webhooks notifly {\n\tsecret x\n}", []string{"plan", "--url", "https://hooks.example.com/"}, "no block in "},
		{"a URL, and no subscribe of the provider", "webhooks notifly {\n\tsecret x\n}", []string{"plan", "notifly", "--url", "https://hooks.example.com/"}, "no block `webhooks notifly` in "},
		{"no such URL", bothSides, []string{"plan", "--url", "https://hooks.example.com/"}, "has no block with a `subscribe` to https://hooks.example.com/"},
		{"an unset key", edited(bothSides, "{env.NDOTO_KEY}", "{env.WEBHOOKS_TEST_UNSET}"), []string{"plan", "ndoto"}, "webhooks ndoto: subscribe: `key`: {env.WEBHOOKS_TEST_UNSET} is not set, or empty; set that variable"},
		{"an empty key", edited(bothSides, "{env.NDOTO_KEY}", "{env.EMPTY}"), []string{"plan", "ndoto"}, "webhooks ndoto: subscribe: `key`: {env.EMPTY} is not set, or empty; set that variable"},
		{"an unset account", edited(bothSides, "account 1", "account {env.WEBHOOKS_TEST_UNSET}"), []string{"list", "ndoto"}, "webhooks ndoto: subscribe: `account`: {env.WEBHOOKS_TEST_UNSET} is not set, or empty"},
		{"an unset token", edited(bothSides, "{env.CHATBOT_TOKEN}", "{env.WEBHOOKS_TEST_UNSET}"), []string{"plan", "chatbot"}, "webhooks chatbot: `token`: {env.WEBHOOKS_TEST_UNSET} is not set, or empty"},
		{"an unset header", edited(bothSides, "{env.CHATBOT_HEADER}", "{env.WEBHOOKS_TEST_UNSET}"), []string{"plan", "chatbot"}, "webhooks chatbot: `header`: {env.WEBHOOKS_TEST_UNSET} is not set, or empty"},
		{"a variable that is no URL", edited(bothSides, "{env.SITE}/ndoto", "{env.NO_URL}/ndoto"), []string{"plan", "ndoto"}, "webhooks ndoto: subscribe: `url`: must be a URL"},
		{"a variable that is no inbox", edited(bothSides, "account 1", "account 1\n\t\t\tinbox {env.NO_URL}"), []string{"plan", "ndoto"}, "webhooks ndoto: subscribe: `inbox`: the value is not the number of an inbox"},
		{
			"two that differ", bothSides + edited(bothSides, "/ndoto ndoto", "/2 ndoto", "{env.NDOTO_TOKEN}", "{env.NDOTO_TOKEN}\n\t\tsource /2", "/chatbot chatbot {", "/3 chatbot {\n\t\tsource /3", "message_created ", ""),
			[]string{"plan"}, "two blocks of ndoto subscribe https://hooks.example.com/ndoto?token=… as \"caddy-webhooks\", and differ; change the `name` or `url` of one",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := s.with(t, c.config)
			r := v.run(c.args...).wantFailures(c.sentence)
			if r.stdout != "" {
				t.Errorf("it prints %s", r.stdout)
			}
		})
	}
	t.Run("no file", func(t *testing.T) {
		runSubscriptions(t, "", "plan").wantFailures("no Caddyfile in this directory; set --config")
		runSubscriptions(t, "", "plan", "--config", "/nowhere/Caddyfile").wantFailures("no such file or directory")
	})
	s.wantNotCalled()
}

// TestSubscriptionsSelection shows that errors of blocks that are not selected do
// not matter.
func TestSubscriptionsSelection(t *testing.T) {
	s := newSubscribed(t, siteURL)
	s = s.with(t, edited(bothSides, "{env.NDOTO_KEY}", "{env.WEBHOOKS_TEST_UNSET}"))
	s.run("plan", "chatbot").want(0)
	s.run("plan", "--url", siteURL+"/chatbot").want(0)
}
