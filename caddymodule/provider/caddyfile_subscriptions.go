package provider

import (
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// parseSubscriptions parses the description of the provider's own API.
func (s *Spec) parseSubscriptions(head blocks.Line) error {
	s.Subscriptions = &subscription.API{Fields: make(map[string]string)}
	if err := subscriptionWords.Parse(head, "subscriptions", s.Subscriptions); err != nil {
		return err
	}
	if err := s.Subscriptions.Validate(); err != nil {
		return head.Errf("subscriptions: %v", err)
	}
	return nil
}

// subscriptionWords are the words of `subscriptions`.
var subscriptionWords = blocks.Words[*subscription.API]{
	blocks.Text("api", "<url>", func(api *subscription.API) *string { return &api.API }),
	blocks.Text("path", "<path>", func(api *subscription.API) *string { return &api.Path }),
	{Name: "key", Usage: "bearer | header <name>", Parse: parseAPIKey},
	blocks.Text("list", "<member>", func(api *subscription.API) *string { return &api.List }),
	{Name: "get", Parse: func(api *subscription.API, _ blocks.Line) error {
		api.Get = true
		return nil
	}},
	blocks.Text("update", "patch|put", func(api *subscription.API) *string { return &api.Update }),
	{Name: "field", Usage: "<word> <member>", Repeats: true, Parse: parseAPIField},
}

func parseAPIKey(api *subscription.API, line blocks.Line) error {
	switch args := line.Args; {
	case len(args) == 1 && args[0] == "bearer":
		api.Key.Bearer = true
	case len(args) == 2 && args[0] == "header":
		api.Key.Header = args[1]
	default:
		return line.Misused()
	}
	return nil
}

func parseAPIField(api *subscription.API, line blocks.Line) error {
	word, member := line.Args[0], line.Args[1]
	if err := subscription.CheckField(word); err != nil {
		return line.Errf("%v", err)
	}
	if api.Has(word) {
		return line.Errf(`duplicate "field %s"; remove one`, word)
	}
	api.Fields[word] = member
	return nil
}
