package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [--config <file>]",
		Short: "Checks whether the queue is intact",
		Long: `
Checks whether the queue of a configuration is intact, and lists the problems. It
changes nothing. The exit status is 1 if there is a problem, or if the queue
cannot be read.

  caddy webhooks check
  caddy webhooks check --config /etc/caddy/Caddyfile

With both engines it checks that the tables are consistent: that each deferred
delivery has its event, and that the size of the events is counted correctly. With
sqlite it also reads the whole file, which takes 10 to 20 seconds per GB; Caddy
reads only the newest part when it starts.

A running gateway is not interrupted. With sqlite, the file queue.db-wal grows until
the check ends.

Without --config, and without a Caddyfile in this directory, it checks the default
file. That is in the user's data directory: run the command as Caddy's user.`,
		Args: takesArgs(0, 0, "check takes no argument; give the configuration with --config"),
	}
	cmd.Flags().StringP("config", "c", "", "Configuration file; default: the Caddyfile in this directory")
	cmd.Flags().StringP("adapter", "a", "", "Name of the config adapter to apply")
	cmd.Flags().Bool("json", false, "Print the result as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			if err := runCheck(cmd.Context(), cmd.OutOrStdout(), fl); err != nil {
				return exitError(err)
			}
			return 0, nil
		})(cmd, args)
	}
	return cmd
}

// checkAnswer is what `check --json` prints.
type checkAnswer struct {
	Engine string `json:"engine"`
	File   string `json:"file,omitempty"`
	queue.Report
}

func runCheck(ctx context.Context, w io.Writer, fl caddycmd.Flags) error {
	settings, withoutDestination, err := configuredQueue(fl)
	if err != nil {
		return err
	}
	isJSON := fl.Bool("json")
	if !isJSON {
		// A DSN may hold a password.
		fmt.Fprintln(w, printable("queue: "+settings.Place().String()))
	}
	if _, err = os.Stat(settings.File); withoutDestination && settings.Engine == queue.SQLite && errors.Is(err, fs.ErrNotExist) {
		return errors.New("no block of the config has a `destination`, so there is no queue")
	}
	report, err := queue.Check(ctx, settings)
	if err != nil {
		return err
	}
	if isJSON {
		encoded, err := json.Marshal(checkAnswer{settings.Engine, settings.File, report})
		if err != nil {
			return err
		}
		err = printJSON(w, encoded)
		return errors.Join(err, problemsError(report))
	}
	events := " events, "
	if report.Events == 1 {
		events = " event, "
	}
	fmt.Fprintln(w, humanize.Comma(report.Events)+events+humanize.SIWithDigits(float64(report.Bytes), 1, "B"))
	for _, problem := range report.Problems {
		fmt.Fprintln(w, printable(problem))
	}
	if len(report.Problems) == 0 {
		fmt.Fprintln(w, "no problems found")
	}
	return problemsError(report)
}

// problemsError returns an error that counts the problems, nil if there is none.
func problemsError(report queue.Report) error {
	if n := len(report.Problems); n > 0 {
		return fmt.Errorf("the queue is not intact: %s", count(int64(n), "problem", "problems"))
	}
	return nil
}

// configuredQueue returns the settings of the queue of the configuration file, or
// the default ones if there is no file. withoutDestination reports that no block of the
// file has a `destination`.
func configuredQueue(fl caddycmd.Flags) (settings queue.Settings, withoutDestination bool, err error) {
	config, file, _, err := caddycmd.LoadConfig(fl.String("config"), fl.String("adapter"))
	if err != nil {
		return settings, false, err
	}
	app := new(webhooks.App)
	if file != "" {
		if app, err = appIn(config); err != nil {
			return settings, false, err
		}
		handlers, handlersErr := handlersIn(config)
		hasDestinations := func(h *webhooks.Handler) bool { return len(h.Destinations) > 0 }
		withoutDestination = handlersErr == nil && !slices.ContainsFunc(handlers, hasDestinations)
	}
	settings, err = app.QueueSettings()
	return settings, withoutDestination, err
}
