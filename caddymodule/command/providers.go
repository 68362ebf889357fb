package command

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"text/tabwriter"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

func providersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "providers [<name>]",
		Short: "Lists the providers, or shows one: what it needs, and its events",
		Long: `
Lists the providers, or shows one: the credentials that it needs, how it proves its
requests, and its event types.

  caddy webhooks providers
  caddy webhooks providers notifly`,
		Args: takesArgs(0, 1, "providers takes at most one name"),
	}
	addConfigFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			if len(args) > 0 {
				p, _, err := findProvider(fl, args[0])
				if err != nil {
					return exitError(err)
				}
				return 0, showProvider(cmd.OutOrStdout(), p)
			}
			own, err := ownProviders(fl)
			if err != nil {
				return exitError(err)
			}
			return 0, listProviders(cmd.OutOrStdout(), own)
		})(cmd, args)
	}
	return cmd
}

// listProviders prints a line for each provider.
func listProviders(w io.Writer, own map[string]*provider.Provider) error {
	names := make([]string, 0, len(own))
	for name := range own {
		names = append(names, name)
	}
	sort.Strings(names)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PROVIDER\tNEEDS\tEVENT TYPES\tENTER AT THE PROVIDER")
	for _, name := range append(provider.Builtin(), names...) {
		p, err := provider.Find(name, own)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", name, needsText(p), max(len(p.Spec().Type.Mappings), 1), p.Spec().Note)
	}
	return table.Flush()
}

// needsText lists the words that a block of the provider needs.
func needsText(p *provider.Provider) string {
	return strings.ReplaceAll(p.Needs().String(), "`", "")
}

// showProvider prints the properties of one provider.
func showProvider(w io.Writer, p *provider.Provider) error {
	spec := p.Spec()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, text)
		}
	}
	row("provider", spec.Name)
	row("docs", spec.Docs)
	row("enter there", spec.Note)
	row("or subscribe", subscribeWordsText(p))
	row("needs", needsText(p))
	row("proof", proofText(p))
	row("handshake", handshakeText(p))
	row("answer", answerText(p))
	row("identified by", identityText(p))
	row("redacted", strings.Join(spec.Redactions, ", "))
	fmt.Fprintln(table, "\t")
	fmt.Fprintln(table, "ITS TYPE\tTYPE")
	if spec.Type.Always != "" {
		fmt.Fprintf(table, "(every event)\t%s\n", spec.Type.Always)
	}
	for _, pair := range spec.Type.Mappings {
		fmt.Fprintf(table, "%s\t%s\n", pair.From, pair.To)
	}
	fmt.Fprintf(table, "(any other)\t%s.<its type>\n", spec.Name)
	return table.Flush()
}

// subscribeWordsText lists the words of `subscribe` for the provider, "" if it has
// no API.
func subscribeWordsText(p *provider.Provider) string {
	api := p.Spec().Subscriptions
	if api == nil {
		return ""
	}
	words := []string{"url", "key"}
	if api.HasAccounts() {
		words = append(words, "account")
	}
	for _, word := range []string{subscription.FieldEvents, subscription.FieldInbox, subscription.FieldName} {
		if api.Has(word) {
			words = append(words, word)
		}
	}
	return strings.Join(append(words, "api"), ", ")
}

func proofText(p *provider.Provider) string {
	v := p.Spec().Verify
	if v.Basic {
		return "basic auth"
	}
	kind := "token"
	if v.Signature != nil {
		kind = v.Signature.Algorithm
	}
	var places []string
	for _, place := range v.Places() {
		switch {
		case place.Bearer:
			places = append(places, "header Authorization")
		case place.Header != "":
			places = append(places, "header "+place.Header)
		case place.Query != "":
			places = append(places, "query "+place.Query)
		default:
			places = append(places, "JSON member "+place.Body)
		}
	}
	return kind + " in " + strings.Join(places, ", or ")
}

func handshakeText(p *provider.Provider) string {
	var texts []string
	for _, h := range p.Spec().Handshakes {
		texts = append(texts, h.String())
	}
	return strings.Join(texts, "; ")
}

func answerText(p *provider.Provider) string {
	switch reply := p.Spec().Reply; {
	case reply.Token:
		return "200 and the presented token"
	case reply.Answer:
		return "the application's own; a repeat gets the first one again"
	case reply.Status != 0:
		return fmt.Sprintf("%d", reply.Status)
	case reply.Text != "":
		return "200 and " + reply.Text
	default:
		return "the application's status"
	}
}

func identityText(p *provider.Provider) string {
	if p.KeyIsHash() {
		return "the hash of its bytes"
	}
	key := p.Spec().Keys
	if key == nil {
		key = []string{"id"}
	}
	return strings.Join(key, " and ")
}
