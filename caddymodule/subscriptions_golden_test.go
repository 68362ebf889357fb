package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/apitest"
)

// TestSubscriptionsGolden compares what the commands print with golden files.
func TestSubscriptionsGolden(t *testing.T) {
	for _, c := range []struct {
		name     string
		site     string // of the gateway; default: siteURL, which is not tried
		config   string // default: bothSides
		inbox    string // "unreported" for an Ndoto that does not
		prepare  func(t *testing.T, s *subscriptions)
		commands []string
	}{
		{
			name:     "create_both",
			commands: []string{"plan", "plan --json", "plan ndoto"},
		},
		{
			name: "nothing_to_do",
			site: gatewayURL,
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7))
				s.chatbot.Add(chatbotWebhook("a1"))
			},
			commands: []string{"plan", "plan --json", "apply ndoto", "apply ndoto --json", "delete ndoto 7 --json"},
		},
		{
			name: "update_every_kind",
			config: edited(bothSides,
				"account 1", "account 1\n\t\t\tinbox 12",
				"header     X-Static {env.CHATBOT_HEADER}", "header X-New {env.CHATBOT_HEADER}\nheader X-Other {env.CHATBOT_HEADER}"),
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7,
					"url", "HTTPS://Hooks.Example.com:443/ndoto?token="+ofBefore, "inbox_id", 3,
					"subscriptions", []string{"message_created", "conversation_updated", "conversation_created"}))
				s.chatbot.Add(chatbotWebhook("a1", "token", ofBefore, "auth", map[string]any{"username": "", "password": ""},
					"headers", []any{map[string]any{"name": "X-Old", "value": ofBefore}, map[string]any{"name": "x-other", "value": ofBefore}}))
			},
			commands: []string{"plan", "plan --json"},
		},
		{
			name:     "foreign",
			prepare:  addForeign,
			commands: []string{"plan", "plan --json", "list", "list --json", "get ndoto 3", "get ndoto 3 --json", "get chatbot b2"},
		},
		{
			name: "notes",
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7, "active", false))
				s.chatbot.Add(chatbotWebhook("a1", "error", map[string]any{
					"date": "2017-12-04T15:06:12.053Z", "message": "timeout of 10000ms exceeded",
				}))
			},
			commands: []string{"plan", "plan --json", "list", "list --json", "get ndoto", "get chatbot", "get chatbot --json"},
		},
		{
			name:     "noted_error_with_credentials",
			prepare:  addNotedErrors,
			commands: []string{"plan chatbot", "list chatbot", "list chatbot --json", "get chatbot"},
		},
		{
			name:   "inbox_unreported",
			site:   gatewayURL,
			config: edited(bothSides, "account 1", "account 1\n\t\t\tinbox 12"),
			inbox:  "unreported",
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7))
			},
			commands: []string{"plan ndoto", "plan ndoto --json", "apply ndoto", "update ndoto --yes", "get ndoto"},
		},
		{
			name:     "by_hand",
			config:   byHand,
			commands: []string{"plan", "plan --json", "list", "apply", "plan striped", "get", "create", "delete notifly"},
		},
		{
			name:   "by_hand_and_subscribed",
			config: bothSides + "\nwebhooks /notifly notifly {\n\tsecret {env.NDOTO_TOKEN}\n}\n",
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7))
			},
			commands: []string{"plan", "plan --json", "list", "list --json", "get", "plan --url https://hooks.example.com/chatbot"},
		},
		{
			name: "apply",
			site: gatewayURL,
			prepare: func(t *testing.T, s *subscriptions) {
				s.chatbot.Add(chatbotWebhook("a1", "token", ofBefore))
				s.chatbot.Add(chatbotWebhook("a2", "token", ofBefore))
			},
			commands: []string{
				"apply", "apply --yes", "list", "list --json", "get", "get --json", "apply --yes",
				"update --yes", "create", "delete --yes", "delete --yes", "get ndoto",
			},
		},
		{
			name:     "apply_json",
			site:     gatewayURL,
			commands: []string{"apply --json", "apply --yes --json", "apply --yes --json", "update --yes --json", "delete --yes --json"},
		},
		{
			name: "failures",
			site: gatewayURL,
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7, "subscriptions", []string{"message_created"}))
				s.chatbot.Add(chatbotWebhook("a1", "token", ofBefore))
				secretIn(t, "NDOTO_KEY") // another than Ndoto's
			},
			commands: []string{"plan", "plan --json", "list", "list --json", "apply --yes", "apply --yes --json"},
		},
		{
			name:   "unset",
			site:   gatewayURL,
			config: edited(bothSides, "{env.NDOTO_KEY}", "{env.WEBHOOKS_TEST_UNSET}"),
			prepare: func(t *testing.T, s *subscriptions) {
				s.chatbot.Add(chatbotWebhook("a1", "token", ofBefore))
			},
			commands: []string{
				"plan", "plan --json", "list", "list --json", "get", "apply --yes", "apply --yes --json",
				"create", "delete --yes", "plan ndoto", "apply ndoto --json", "apply chatbot --yes",
			},
		},
		{
			name: "refused",
			site: gatewayURL,
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7))
				secretIn(t, "NDOTO_TOKEN") // the gateway has the one before
			},
			commands: []string{"plan", "apply", "apply --yes --json", "update ndoto --yes", "delete ndoto --yes"},
		},
		{
			name: "unreachable",
			site: nobodyURL,
			prepare: func(t *testing.T, s *subscriptions) {
				s.chatbot.Add(chatbotWebhook("a1"))
			},
			commands: []string{"plan", "apply", "apply --yes", "apply --yes", "apply --yes --json", "update chatbot --yes"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.config == "" {
				c.config = bothSides
			}
			if c.site == "" {
				c.site = siteURL
			}
			s := newSubscriptions(t, c.site, c.config)
			if c.inbox != "" {
				s.ndoto = apitest.Ndoto(t, s.ndoto.Key, "1", false)
				t.Setenv("NDOTO_API", s.ndoto.URL)
			}
			if c.site == gatewayURL {
				start(t, c.config)
			}
			if c.prepare != nil {
				c.prepare(t, s)
			}
			var result strings.Builder
			for _, command := range c.commands {
				result.WriteString(s.transcript(command))
			}
			// As long as what the system chose, so that tables are as wide.
			shown := strings.ReplaceAll(result.String(), gatewayURL, "http://localhost:12345")
			compareGolden(t, filepath.Join("testdata/subscriptions", c.name+".txt"), shown)
		})
	}
}

// addForeign adds what others have made, some of it like ours.
func addForeign(t *testing.T, s *subscriptions) {
	secret := secretIn(t, "FOREIGN")
	s.ndoto.Add(ndotoWebhook(3, "url", "https://other.example.com/ndoto?key="+secret+"&"+secret))
	s.ndoto.Add(ndotoWebhook(4, "name", "by hand\x1b[31m"))
	s.ndoto.Add(ndotoWebhook(5, "name", "crm", "url", "https://crm.example.com/", "active", false, "inbox_id", 2))
	s.ndoto.Add(ndotoWebhook(7))
	s.chatbot.Add(chatbotWebhook("b1", "name", "by hand", "token", secret))
	s.chatbot.Add(chatbotWebhook("b2", "url", "https://"+secret+":"+secret+"@other.example.com/chatbot", "token", secret))
	s.chatbot.Add(chatbotWebhook("b3", "name", "crm", "url", "https://crm.example.com/", "error", map[string]any{"message": "it broke"}))
}

// addNotedErrors adds errors that repeat credentials, as ChatBot.com's do when
// they come from the library that it calls with.
func addNotedErrors(t *testing.T, s *subscriptions) {
	token := os.Getenv("CHATBOT_TOKEN")
	for i, message := range []string{
		"GET https://hooks.example.com/chatbot?challenge=abc&token=" + token + " failed",
		"the token " + token + " is wrong",
		"the token " + token[:len(token)-5] + "… is wrong",
		"\x1b[31mtwo\nlines\u202e " + strings.Repeat("and much more ", 40),
	} {
		s.chatbot.Add(chatbotWebhook("a"+strconv.Itoa(i+1), "error", map[string]any{"message": message}))
	}
}

// byHand are blocks without a `subscribe`, of every kind of provider.
const byHand = `{
	webhooks {
		provider striped {
			verify token {
				from header x-striped
			}
			key  hash
			type always thing.happened
		}
		provider sloped {
			note "Settings: the URL of your block"
			verify token {
				from header x-sloped
			}
			key  hash
			type always thing.happened
		}
	}
}
https://hooks.example.com {
	webhooks /1/notifly notifly {
		secret {env.NDOTO_TOKEN}
	}
	webhooks /2/notifly notifly {
		secret {env.CHATBOT_TOKEN}
		source /second
	}
	webhooks /3/wotnot wotnot {
		token {env.NDOTO_TOKEN}
	}
	webhooks /4/oneroute oneroute {
		token {env.NDOTO_TOKEN}
	}
	webhooks /5/ndoto ndoto {
		token {env.NDOTO_TOKEN}
	}
	webhooks /6/striped striped {
		token {env.NDOTO_TOKEN}
	}
	webhooks /7/sloped sloped {
		token {env.NDOTO_TOKEN}
	}
}
`

// transcript runs a command and returns all that it prints, as a golden file
// has it.
func (s *subscriptions) transcript(command string) string {
	s.t.Helper()
	r := s.run(strings.Fields(command)...)
	var b strings.Builder
	fmt.Fprintf(&b, "$ caddy webhooks subscriptions %s\n%s", command, r.stdout)
	for line := range strings.Lines(r.errs) {
		var logged struct{ Level, Msg string }
		switch {
		case json.Unmarshal([]byte(line), &logged) != nil:
			fmt.Fprintf(&b, "(stderr) %s", line)
		case logged.Level != "info":
			fmt.Fprintf(&b, "(%s) %s\n", logged.Level, logged.Msg)
		}
	}
	fmt.Fprintf(&b, "(exit status %d)\n\n", r.status)
	// Their ports vary.
	return strings.NewReplacer(s.ndoto.URL, "https://ndoto.example.com", s.chatbot.URL, "https://chatbot.example.com").Replace(b.String())
}

// compareGolden compares a text with a golden file, or writes that anew.
func compareGolden(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}
}
