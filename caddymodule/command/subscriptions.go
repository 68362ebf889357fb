package command

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// exitChanges is the exit status of plan if something would change.
const exitChanges = 2

func subscriptionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "subscriptions <command>",
		Short: "Manages the webhooks at the providers, from the same config",
		Long: `
Manages the webhook at the provider of each webhooks block that has a subscribe,
through the provider's API. For other blocks, plan and list print what to enter at
the provider by hand.

  caddy webhooks subscriptions plan  --config Caddyfile
  caddy webhooks subscriptions apply --config Caddyfile
  caddy webhooks subscriptions list  --config Caddyfile

The webhook of a block is the one with its name and URL (queries ignored). Others
are left alone, unless you give an id.`,
	}
	flags := cmd.PersistentFlags()
	flags.StringP("config", "c", "", "Configuration file; default: the Caddyfile in this directory")
	flags.StringP("adapter", "a", "", "Name of the config adapter to apply")
	flags.Bool("json", false, "Print JSON")
	flags.String("url", "", "Select the block with this `url`")
	flags.Duration("timeout", subscription.DefaultTimeout, "Maximum duration of each call of a provider's API")
	for _, action := range subscriptionActions {
		cmd.AddCommand(action.command())
	}
	needsCommand(cmd)
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
		name: "plan", short: "Shows what apply would change",
		long: "The exit status is 0 if nothing would change, 2 if something would, 1 after an error.\nLines with + ~ - are changes, = is up to date, and ! is a warning.",
		run:  (*subscriptionsRun).plan,
	},
	{
		name: "apply", short: "Creates, updates and deletes, as plan shows", asks: true,
		long: "It makes the changes that plan shows, and checks the result. Before that, it checks that the\nURL accepts the credentials to be registered, and returns the provider's challenge.",
		run:  (*subscriptionsRun).apply,
	},
	{
		name: "list", short: "Lists the webhooks that the providers have",
		long: "It lists all webhooks of the account. OURS marks those with the name and URL of the block.",
		run:  (*subscriptionsRun).list,
	},
	{
		name: "get", short: "Shows the webhook of a block, or one with an id", hasID: true,
		long: "  caddy webhooks subscriptions get chatbot\n  caddy webhooks subscriptions get chatbot 5a21a9e21ec94a0007f9ac19",
		run:  (*subscriptionsRun).get,
	},
	{
		name: "create", short: "Creates the webhook of each block, which must not exist", asks: true,
		long: "  caddy webhooks subscriptions create ndoto",
		run:  (*subscriptionsRun).create,
	},
	{
		name: "update", short: "Sends all fields again, or takes over a webhook by its id", hasID: true, asks: true,
		long: "With an id, the block takes over that webhook, whoever created it: it gets the block's name,\nURL and all other fields.\n\n  caddy webhooks subscriptions update ndoto\n  caddy webhooks subscriptions update ndoto 7",
		run:  (*subscriptionsRun).update,
	},
	{
		name: "delete", short: "Deletes the webhook of each block, or one with an id", hasID: true, asks: true,
		long: "Without a provider, it deletes the webhooks of all blocks. With an id, it deletes that one,\nwhoever created it.\n\n  caddy webhooks subscriptions delete ndoto\n  caddy webhooks subscriptions delete ndoto 7",
		run:  (*subscriptionsRun).remove,
	},
}

func (a subscriptionAction) command() *cobra.Command {
	cmd := &cobra.Command{Use: a.name + " [<provider>]", Short: a.short, Long: "\n" + a.short + ".\n\n" + a.long, Args: takesArgs(0, 1, a.name+" takes at most one provider")}
	if a.hasID {
		cmd.Use, cmd.Args = a.name+" [<provider> [<id>]]", takesArgs(0, 2, a.name+" takes at most a provider and an id")
	}
	if a.asks {
		cmd.Flags().BoolP("yes", "y", false, "Change without asking")
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

// failures are several errors, one on each line.
type failures []error

func (f failures) Error() string {
	texts := make([]string, len(f))
	for i, err := range f {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "\n")
}

// failed joins errors, without nil ones. It returns nil if there are none.
func failed(errs ...error) error {
	var all failures
	for _, err := range errs {
		var several failures
		if errors.As(err, &several) {
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

// lastOf logs all errors but the last, each on its own line, and returns the last,
// which Caddy logs.
func lastOf(err error) error {
	var several failures
	if !errors.As(err, &several) {
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
	printed     bool   // whether JSON was printed
	failure     string // why nothing was changed

	id      string // of a subscription; "": the block's own
	sides   []*providerSide
	byHands []byHand
	unread  failures               // errors of blocks
	others  []*subscription.Target // of blocks that are not selected

	othersUnknown bool // whether some others have errors
}

// providerSide is a block with a `subscribe`: its target, and the report on it.
type providerSide struct {
	Provider string `json:"provider"`
	Account  string `json:"account,omitempty"`
	URL      string `json:"url"`
	Name     string `json:"name"`
	subscription.Plan

	// Done is the number of changes that were made.
	Done int `json:"done,omitempty"`

	// Accepted reports that the URL accepts the credentials.
	Accepted bool `json:"accepted,omitempty"`

	// Challenge reports that the URL returns the provider's challenge.
	Challenge bool `json:"challenge_answered,omitempty"`

	// Found lists subscriptions that the provider has, for list and get.
	Found []foundSubscription `json:"found,omitzero"`

	// Error is the first error of the block.
	Error string `json:"error,omitempty"`

	place  string // provider and account
	title  string // the place, with name and URL if another block has the same place
	target *subscription.Target

	tried        string // the note of Try
	printedNotes []string
}

// foundSubscription is a subscription that the provider has, as it may be shown.
type foundSubscription struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	URL    string   `json:"url"`
	Events []string `json:"events,omitempty"`
	Inbox  string   `json:"inbox,omitempty"`
	Header []string `json:"header,omitempty"`

	// Token and BasicAuth report whether there is one. Nil: unknown.
	Token     *bool `json:"token,omitempty"`
	BasicAuth *bool `json:"basic_auth,omitempty"`

	Active *bool  `json:"active,omitempty"`
	Error  string `json:"error,omitempty"`

	// Ours reports that it has the name and URL of the block.
	Ours bool `json:"ours"`

	// Differs lists the differences from the block.
	Differs []subscription.Difference `json:"differs,omitempty"`
}

// byHand is a block whose provider has no API, or that has no `subscribe`.
type byHand struct {
	Provider string `json:"provider"`

	// Enter describes what to enter at the provider.
	Enter string `json:"enter_there"`
}
