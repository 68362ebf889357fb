package command

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

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
	row("group", spec.Group)
	row("docs", spec.Docs)
	row("enter there", spec.Note)
	row("or subscribe", subscribeWordsText(p))
	row("needs", needsText(p))
	row("proof", proofText(p))
	row("tested with", testedText(p))
	row("tolerance", durationText(spec.Tolerance))
	row("dedup", durationText(spec.Dedup))
	row("forms", formText(spec.Form))
	row("events", strings.Join(spec.Events.Paths, ", "))
	row("handshake", handshakeText(p))
	row("answer", answerText(p))
	row("identified by", identityText(p))
	row("redacted", strings.Join(spec.Redactions, ", "))
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return showTypes(w, spec)
}

// showTypes prints what a provider's types become.
func showTypes(w io.Writer, spec *provider.Spec) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ITS TYPE\tTYPE")
	if spec.Type.Always != "" {
		fmt.Fprintf(table, "(every event)\t%s\n", spec.Type.Always)
	}
	for _, pair := range spec.Type.Mappings {
		fmt.Fprintf(table, "%s\t%s\n", pair.From, pair.To)
	}
	if spec.Type.Always == "" {
		fmt.Fprintf(table, "(any other)\t%s.<its type>\n", spec.Name)
	}
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

// durationText returns the provider's own default of a duration, "" if it has none.
func durationText(d caddy.Duration) string {
	if d == 0 {
		return ""
	}
	text := time.Duration(d).String() // with units that are 0, such as 48h0m0s
	for _, zero := range []string{"m0s", "h0m"} {
		if cut, ok := strings.CutSuffix(text, zero); ok {
			text = cut + zero[:1]
		}
	}
	return text + " by default"
}

// formText describes the bodies that are forms, "" if none are.
func formText(form *provider.Form) string {
	switch {
	case form == nil:
		return ""
	case form.Field != "":
		return "a body may be a form, with the event as JSON in " + form.Field
	}
	return "a body may be a form; its parameters are the event"
}

// testedText describes what the tests check the proof with.
func testedText(p *provider.Provider) string {
	return map[string]string{
		"vector":  "an example that the vendor publishes",
		"library": "the vendor's own library",
		"page":    "a second implementation, made from the vendor's page",
	}[p.Spec().Tested]
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
	if v.JWT != nil {
		kind = "JWT"
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
	if slices.Equal(p.Keys(), []string{"hash"}) {
		return "the hash of its bytes"
	}
	return strings.Join(p.Keys(), " and ")
}
