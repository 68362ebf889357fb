package blocks_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
)

// config is what the block of these tests fills in.
type config struct {
	source  string
	secrets []string
	headers []string
	off     bool
	to      []string // the words inside of it
	inner   innerConfig
}

type innerConfig struct{ url string }

var words = blocks.Words[*config]{
	{Name: "secret", Usage: "<secret...>", Parse: func(c *config, line blocks.Line) error {
		c.secrets = line.Args
		return nil
	}},
	{Name: "header", Usage: "<name> <value>", Repeats: true, Parse: func(c *config, line blocks.Line) error {
		c.headers = append(c.headers, strings.Join(line.Args, "="))
		return nil
	}},
	blocks.Text("source", "<uri-reference>", func(c *config) *string { return &c.source }),
	{Name: "dedup", Usage: "off | <window> [<entries>]", Parse: func(c *config, line blocks.Line) error {
		if c.off = line.Args[0] == "off"; c.off && len(line.Args) > 1 {
			return line.Misused()
		}
		return nil
	}},
	{Name: "off", Parse: func(c *config, _ blocks.Line) error {
		c.off = true
		return nil
	}},
	{Name: "queue", Elsewhere: "queue belongs in the global options"},
	{Name: "to", Block: true, Parse: func(c *config, line blocks.Line) error {
		return line.Each(func(line blocks.Line) error {
			if err := line.CheckNoBlock(); err != nil {
				return err
			}
			c.to = append(c.to, line.Word)
			return nil
		})
	}},
	{Name: "inner", Usage: "<name>", Block: true, Parse: func(c *config, line blocks.Line) error {
		return inner.Parse(line, "inner "+line.Args[0], &c.inner)
	}},
}

var inner = blocks.Words[*innerConfig]{
	blocks.Text("url", "<url>", func(c *innerConfig) *string { return &c.url }),
}

// parse parses a `config <name>` block with these lines, which begin at line 2.
func parse(lines string) (*config, error) {
	tokens, err := caddyfile.Tokenize([]byte("config one {\n"+lines+"\n}\n"), "Caddyfile")
	if err != nil {
		return nil, err
	}
	head := blocks.Read(caddyfile.NewDispenser(tokens))
	if err := head.CheckArgs("<name>"); err != nil {
		return nil, err
	}
	c := new(config)
	return c, words.Parse(head, "config "+head.Args[0], c)
}

func TestParse(t *testing.T) {
	c, err := parse(`secret a {env.B}
		header X-A 1
		header X-B "2 3"
		dedup off
		source <<TEXT
			/over
			/lines
			TEXT
		to {
			respond 200
			"}"
		}
		inner two {
			url https://example.com
		}
		off`)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what      string
		got, want []string
	}{
		{"secrets", c.secrets, []string{"a", "{env.B}"}},
		{"headers", c.headers, []string{"X-A=1", "X-B=2 3"}},
		{"source", []string{c.source}, []string{"/over\n/lines"}},
		{"to", c.to, []string{"respond", "}"}},
		{"inner", []string{c.inner.url}, []string{"https://example.com"}},
	} {
		if !slices.Equal(test.got, test.want) {
			t.Errorf("%s: %q, want %q", test.what, test.got, test.want)
		}
	}
	if !c.off {
		t.Error("off is not set")
	}
}

func TestErrors(t *testing.T) {
	const list = "use secret, header, source, dedup, off, to or inner"
	for _, test := range []struct{ lines, want string }{
		{"colour red", `unknown word "colour" in config one; ` + list + ", at Caddyfile:2"},
		{"off\n\ncolour {\n red\n}", `unknown word "colour" in config one; ` + list + ", at Caddyfile:4"},
		{"inner two {\n key a\n}", `unknown word "key" in inner two; use url, at Caddyfile:3`},
		{"queue sqlite", "queue belongs in the global options, at Caddyfile:2"},
		{"{\noff\n}", "unexpected {; a block begins on the line of its word, at Caddyfile:2"},

		{"off\noff", `duplicate "off"; remove one, at Caddyfile:3`},
		{"secret a\noff\nsecret b", `duplicate "secret"; list all values on one line, at Caddyfile:4`},

		{"secret", "wrong number of arguments; use: secret <secret...>, at Caddyfile:2"},
		{"header X-A", "wrong number of arguments; use: header <name> <value>, at Caddyfile:2"},
		{"header X-A 1\nheader X-A 1 2", "wrong number of arguments; use: header <name> <value>, at Caddyfile:3"},
		{"dedup", "wrong number of arguments; use: dedup off or dedup <window> [<entries>], at Caddyfile:2"},
		{"dedup 1h 2 3 {\n}", "wrong number of arguments; use: dedup off or dedup <window> [<entries>], at Caddyfile:2"},
		{"dedup off 2", "wrong arguments; use: dedup off or dedup <window> [<entries>], at Caddyfile:2"},
		{"off now", `"off" takes no arguments, at Caddyfile:2`},
		{"source a b", "wrong number of arguments; use: source <uri-reference>, at Caddyfile:2"},
		{`source ""`, `"source" is empty; use: source <uri-reference>, at Caddyfile:2`},

		{"secret a {\n b\n}", `"secret" takes no block, at Caddyfile:2`},
		{"to {\n respond {\n  body x\n }\n}", `"respond" takes no block, at Caddyfile:3`},
	} {
		t.Run(test.lines, func(t *testing.T) {
			_, err := parse(test.lines)
			if err == nil || err.Error() != test.want {
				t.Errorf("got:\n%v\nwant:\n%s", err, test.want)
			}
		})
	}
}

func TestHeadErrors(t *testing.T) {
	for text, want := range map[string]string{
		"config {\n}":     "wrong number of arguments; use: config <name>, at Caddyfile:1",
		"config a b":      "wrong number of arguments; use: config <name>, at Caddyfile:1",
		"\nconfig a b {}": "wrong number of arguments; use: config <name>, at Caddyfile:2",
	} {
		tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
		if err != nil {
			t.Fatal(err)
		}
		err = blocks.Read(caddyfile.NewDispenser(tokens)).CheckArgs("<name>")
		if err == nil || err.Error() != want {
			t.Errorf("%q: got:\n%v\nwant:\n%s", text, err, want)
		}
	}
}

// TestErrorsHideArguments puts a secret into every place of a block.
func TestErrorsHideArguments(t *testing.T) {
	const secret = "hunter2-QsRlBpw"
	for _, lines := range []string{
		"secret a\n" + secret, // the second secret, on a line of its own
		"off " + secret,
		"header " + secret,
		"dedup off " + secret,
		"source a " + secret,
		"secret a {\n" + secret + "\n}",
		"secret a\nsecret " + secret,
		"queue postgres " + secret,
	} {
		if _, err := parse(lines); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", lines, err)
		}
	}
}

// TestUsage counts arguments.
func TestUsage(t *testing.T) {
	for usage, fitting := range map[string][]int{
		"":                                 {0},
		"<name>":                           {1},
		"<name> <value>":                   {2},
		"[<file>]":                         {0, 1},
		"<window> [<entries>]":             {1, 2},
		"header <name> [item <n>]":         {2, 3, 4},
		"<path> [as <format>] when <w>":    {3, 4, 5},
		"<secret...>":                      {1, 2, 3, 4, 5},
		"[<type>...]":                      {0, 1, 2, 3, 4, 5},
		"a | b c d":                        {1, 3},
		"<name> always <text> | <path...>": {1, 2, 3, 4, 5},
	} {
		for n := range 6 {
			tokens, err := caddyfile.Tokenize([]byte("word"+strings.Repeat(" x", n)), "Caddyfile")
			if err != nil {
				t.Fatal(err)
			}
			err = blocks.Read(caddyfile.NewDispenser(tokens)).CheckArgs(usage)
			if (err == nil) != slices.Contains(fitting, n) {
				t.Errorf("%q with %d arguments: %v", usage, n, err)
			}
		}
	}
}
