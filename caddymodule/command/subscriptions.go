package command

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// exitChanges is the exit status of `plan` when something would change.
const exitChanges = 2

func subscriptionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "subscriptions <command>",
		Short: "Shows and makes what the providers are to send, from the same config",
		Long: `
Shows and makes what the providers are to send, from the same config: for each
webhooks block with a subscribe in it, the webhook at the provider, through the
provider's own API. For other blocks it says what to enter there by hand.

  caddy webhooks subscriptions plan  --config Caddyfile    what would change
  caddy webhooks subscriptions apply --config Caddyfile    to make it so
  caddy webhooks subscriptions list  --config Caddyfile    what the provider has

Or one by one: get, create, update, delete.

What bears the name and the URL of the block, apart from the query, is ours.
Nothing else is touched, unless its id is given.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q: use plan, apply, list, get, create, update or delete", args[0])
			}
			return cmd.Help()
		},
	}
	flags := cmd.PersistentFlags()
	flags.StringP("config", "c", "", "Configuration file; default: the Caddyfile in this directory")
	flags.StringP("adapter", "a", "", "Name of the config adapter to apply")
	flags.Bool("json", false, "Print what is there, planned and done, and what went wrong, as JSON")
	flags.String("url", "", "Only the block that is reached under this URL")
	flags.Duration("timeout", subscription.DefaultTimeout, "How long each call of a provider's API may take")
	for _, action := range subscriptionActions {
		cmd.AddCommand(action.command())
	}
	return cmd
}

// subscriptionAction is one command below `subscriptions`.
type subscriptionAction struct {
	name, short, long string

	hasID bool // takes the id of a subscription
	asks  bool // before it changes something
	run   func(r *subscriptionsRun) (status int, err error)
}

var subscriptionActions = []subscriptionAction{
	{
		name: "plan", short: "Shows what would change at the providers; the exit status is 2 if something would",
		long: "It changes nothing. Lines with + - ~ are changes, = is as it should be, and ! is what\nno change mends.",
		run:  (*subscriptionsRun).plan,
	},
	{
		name: "apply", short: "Makes the providers send what the configuration says", asks: true,
		long: "It makes the changes that plan shows, and checks the result. Before that it tries whether the\nURL accepts what is to be registered, and answers the provider's challenge, if that has one.",
		run:  (*subscriptionsRun).apply,
	},
	{
		name: "list", short: "Lists what the providers have",
		long: "All subscriptions of the account are listed; \"ours\" bear the name and the URL of the block.",
		run:  (*subscriptionsRun).list,
	},
	{
		name: "get", short: "Shows the subscription of a block, or another one", hasID: true,
		long: "  caddy webhooks subscriptions get chatbot\n  caddy webhooks subscriptions get chatbot 5a21a9e21ec94a0007f9ac19",
		run:  (*subscriptionsRun).get,
	},
	{
		name: "create", short: "Creates the subscription of each block, which must not be there", asks: true,
		long: "  caddy webhooks subscriptions create ndoto",
		run:  (*subscriptionsRun).create,
	},
	{
		name: "update", short: "Sends the subscription of each block to the provider again, or takes over another one", hasID: true, asks: true,
		long: "With an id, the block takes over that subscription, whoever made it: it gets the name, the\nURL and all else that the block says.\n\n  caddy webhooks subscriptions update ndoto\n  caddy webhooks subscriptions update ndoto 7",
		run:  (*subscriptionsRun).update,
	},
	{
		name: "delete", short: "Deletes the subscription of each block, or another one", hasID: true, asks: true,
		long: "Without a provider, it deletes those of all blocks; with an id, that one, whoever made it.\n\n  caddy webhooks subscriptions delete ndoto\n  caddy webhooks subscriptions delete ndoto 7",
		run:  (*subscriptionsRun).remove,
	},
}

func (a subscriptionAction) command() *cobra.Command {
	cmd := &cobra.Command{Use: a.name + " [<provider>]", Short: a.short, Long: "\n" + a.short + ".\n\n" + a.long, Args: cobra.MaximumNArgs(1)}
	if a.hasID {
		cmd.Use, cmd.Args = a.name+" [<provider> [<id>]]", cobra.MaximumNArgs(2)
	}
	if a.asks {
		cmd.Flags().BoolP("yes", "y", false, "Do not ask before something is changed")
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceErrors = true // cobra would print the exit status 2 of plan as an error
		return caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			r := &subscriptionsRun{
				ctx: cmd.Context(), in: cmd.InOrStdin(), out: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(),
				text: cmd.OutOrStdout(), flags: fl, isJSON: fl.Bool("json"),
			}
			if r.isJSON {
				r.text = r.stderr
			}
			status, err := r.run(a, args)
			if err != nil {
				return exitError(lastOf(err))
			}
			return status, nil
		})(cmd, args)
	}
	return cmd
}

// run runs one command.
func (r *subscriptionsRun) run(a subscriptionAction, args []string) (status int, err error) {
	if err = r.read(args); err == nil {
		status, err = a.run(r)
	}
	if err != nil && r.isJSON && !r.printed {
		r.failure, r.unread = err.Error(), nil
		err = failed(r.print(nil), err)
	}
	return status, err
}

// failures are several errors, each a sentence of its own.
type failures []error

func (f failures) Error() string {
	texts := make([]string, len(f))
	for i, err := range f {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "\n")
}

// failed returns all errors that there are, nil for none.
func failed(errs ...error) error {
	var all failures
	for _, err := range errs {
		if several, ok := err.(failures); ok {
			all = append(all, several...)
		} else if err != nil {
			all = append(all, err)
		}
	}
	if all == nil {
		return nil
	}
	return all
}

// lastOf logs each of several errors on a line of its own, but the last, which
// it returns: that one is logged by who gets it.
func lastOf(err error) error {
	several, ok := err.(failures)
	if !ok {
		return err
	}
	last := len(several) - 1
	for _, one := range several[:last] {
		caddy.Log().Error(one.Error())
	}
	return several[last]
}

// subscriptionsRun is one run of a command.
type subscriptionsRun struct {
	ctx         context.Context
	in          io.Reader
	out, stderr io.Writer
	text        io.Writer // of what people read
	flags       caddycmd.Flags
	isJSON      bool
	printed     bool   // JSON was
	failure     string // why nothing was done

	id      string // of a subscription, "" for that of the block
	sides   []*providerSide
	byHands []byHand
	unread  failures               // what is wrong with blocks
	others  []*subscription.Target // of blocks that are not meant

	othersUnknown bool // of some of these
}

// providerSide is one block with a `subscribe`: its target, and what is reported
// of it.
type providerSide struct {
	Provider string `json:"provider"`
	Account  string `json:"account,omitempty"`
	URL      string `json:"url"`
	Name     string `json:"name"`
	subscription.Plan

	// Done is how many of the changes were made.
	Done int `json:"done,omitempty"`

	// Accepted says that the URL accepts what the provider proves itself with.
	Accepted bool `json:"accepted,omitempty"`

	// Challenge says that it answers the provider's challenge, too.
	Challenge bool `json:"challenge_answered,omitempty"`

	// Found is what the provider has.
	Found []foundSubscription `json:"found,omitzero"`

	// Error is why something was not done.
	Error string `json:"error,omitempty"`

	place  string // the provider and the account
	title  string // the place, and more if that of another block is the same
	target *subscription.Target

	tried        string // a note on how the URL was tried
	printedNotes []string
}

// foundSubscription is what the provider has, without what must not be shown.
type foundSubscription struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	URL    string   `json:"url"`
	Events []string `json:"events,omitempty"`
	Inbox  string   `json:"inbox,omitempty"`
	Header []string `json:"header,omitempty"`

	// Token and BasicAuth say whether there is one.
	Token     *bool `json:"token,omitempty"`
	BasicAuth *bool `json:"basic_auth,omitempty"`

	Active *bool  `json:"active,omitempty"`
	Error  string `json:"error,omitempty"`

	// Ours says that it bears the name and the URL of the block.
	Ours bool `json:"ours"`

	// Differs lists what is not as in the block.
	Differs []subscription.Difference `json:"differs,omitempty"`
}

// byHand is a block whose provider has no API, or that has no `subscribe`.
type byHand struct {
	Provider string `json:"provider"`

	// Enter is what to enter at the provider.
	Enter string `json:"enter_there"`
}
