package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf16"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
)

// maxCell is how much of a text a table shows, in characters.
const maxCell = 40

func deadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead [<msg_...>] [--destination <name>] [--discard]",
		Short: "Lists the dead letters of a running gateway, shows one, or discards them",
		Long: `
Lists the events that a destination did not take: its dead letters, the latest
first. With the id of one it shows what the destination answered last, and what
it was sent.

  caddy webhooks dead --destination crm
  caddy webhooks dead msg_qmg34d6hl7ceiilpask66mlmymhvjw2m
  caddy webhooks dead msg_qmg34d6hl7ceiilpask66mlmymhvjw2m --discard
  caddy webhooks dead --discard --all --destination crm

"caddy webhooks replay" delivers them again.`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().String("destination", "", "Only those of this destination")
	cmd.Flags().Int("limit", admin.DefaultLimit, fmt.Sprintf("How many to list, at most %d", admin.MaxLimit))
	cmd.Flags().Bool("discard", false, "Discard the one with the id, or all with --all")
	cmd.Flags().Bool("all", false, "With --discard: all of them, or all of --destination")
	return overAdmin(cmd, runDead)
}

func replayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay <msg_...>... | --dead | --since <time> [--destination <name>]",
		Short: "Destinations events of a running gateway again",
		Long: `
Destinations events again: those with the ids, all dead letters, or all that came in
since a time. They keep their webhook-id, and carry the header webhook-replay: true.

  caddy webhooks replay msg_qmg34d6hl7ceiilpask66mlmymhvjw2m
  caddy webhooks replay --dead --destination crm
  caddy webhooks replay --since 2h
  caddy webhooks replay --since 2026-01-02T15:04:05Z`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().Bool("dead", false, "All dead letters")
	cmd.Flags().String("since", "", "All events since a time in RFC 3339, or for so long, as in 2h or 7d")
	cmd.Flags().String("destination", "", "Only to this destination")
	return overAdmin(cmd, runReplay)
}

func pauseCommand() *cobra.Command {
	return overAdmin(&cobra.Command{
		Use:   "pause <name>",
		Short: "Keeps a running gateway from delivering to a destination; its events wait",
		Args:  cobra.ExactArgs(1),
	}, runPause)
}

func resumeCommand() *cobra.Command {
	return overAdmin(&cobra.Command{
		Use:   "resume <name>",
		Short: "Lets a running gateway deliver to a paused destination again",
		Args:  cobra.ExactArgs(1),
	}, runResume)
}

func forgetCommand() *cobra.Command {
	return overAdmin(&cobra.Command{
		Use:   "forget <name>",
		Short: "Discards what waits for a destination that has left the configuration",
		Args:  cobra.ExactArgs(1),
	}, runForget)
}

// adminClient is one run of a command that asks a running gateway.
type adminClient struct {
	w, notes io.Writer
	flags    caddycmd.Flags
	address  string // of Caddy's admin endpoint
}

// overAdmin makes a command one that asks a running gateway; the flags that say
// which one are those of `caddy reload`.
func overAdmin(cmd *cobra.Command, run func(c adminClient, args []string) error) *cobra.Command {
	cmd.Flags().Bool("json", false, "Print the answer of the admin API")
	cmd.Flags().String("address", "", "Address of the administration listener, if different from config")
	cmd.Flags().StringP("config", "c", "", "Configuration file to take that address from")
	cmd.Flags().StringP("adapter", "a", "", "Name of the config adapter to apply")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			address, err := caddycmd.DetermineAdminAPIAddress(fl.String("address"), nil, fl.String("config"), fl.String("adapter"))
			if err != nil {
				return exitError(err)
			}
			if err := run(adminClient{cmd.OutOrStdout(), cmd.ErrOrStderr(), fl, address}, args); err != nil {
				return exitError(err)
			}
			return 0, nil
		})(cmd, args)
	}
	return cmd
}

// ask makes a request to the API and prints the answer: with text, or as it is
// where --json says so. A body is sent as JSON, if there is one.
func ask[T any](c adminClient, method, uri string, body any, text func(answer T) error) error {
	answer, err := c.request(method, uri, body)
	if err != nil {
		return err
	}
	if c.flags.Bool("json") {
		return printJSON(c.w, answer)
	}
	var decoded T
	if err := json.Unmarshal(answer, &decoded); err != nil {
		return err
	}
	return text(decoded)
}

func (c adminClient) request(method, uri string, body any) ([]byte, error) {
	var encoded io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		encoded = bytes.NewReader(b)
	}
	response, err := caddycmd.AdminAPIRequest(c.address, method, uri, nil, encoded)
	if err != nil {
		return nil, askError(err, c.address)
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// say prints a sentence.
func (c adminClient) say(format string, args ...any) error {
	_, err := fmt.Fprintf(c.w, format+"\n", args...)
	return err
}

// askError makes a sentence of what AdminAPIRequest says.
func askError(err error, address string) error {
	_, answer, answered := strings.Cut(err.Error(), "caddy responded with error: HTTP ")
	if !answered {
		return fmt.Errorf("no Caddy answers at %s; --address says where else its admin endpoint is: %w", address, err)
	}
	var known struct {
		Error string `json:"error"`
	}
	_, encoded, _ := strings.Cut(answer, ": ")
	if json.Unmarshal([]byte(encoded), &known) != nil || known.Error == "" {
		return fmt.Errorf("what answers at %s is no Caddy with this module: HTTP %.200s", address, printable(answer))
	}
	return errors.New(printable(known.Error))
}

func runDead(c adminClient, args []string) error {
	discard, all := c.flags.Bool("discard"), c.flags.Bool("all")
	switch {
	case all && !discard:
		return errors.New("--all goes with --discard; without both, all are listed")
	case all && len(args) > 0:
		return errors.New("give an id or --all, not both")
	case discard && !all && len(args) == 0:
		return errors.New("say what to discard: an id, or --all")
	}
	destination, err := destinationFlag(c.flags)
	if err != nil {
		return err
	}
	if all {
		return discardDead(c, "/webhooks/dead", admin.Selection{Dead: true, Destination: destination})
	}
	if len(args) == 0 {
		return listDeadLetters(c, destination)
	}
	key, err := envelope.ParseKey(args[0])
	if err != nil {
		return err
	}
	uri := withQuery("/webhooks/dead/"+key.String(), url.Values{}, destination)
	if discard {
		return discardDead(c, uri, nil)
	}
	return showDeadLetters(c, uri)
}

// destinationFlag returns --destination, nil for all destinations. An empty one is a
// variable that is not set, and must not stand for all.
func destinationFlag(fl caddycmd.Flags) (*string, error) {
	if !fl.Changed("destination") {
		return nil, nil
	}
	name := fl.String("destination")
	if name == "" {
		return nil, errors.New("--destination is empty; name a destination, or leave it out for all")
	}
	return &name, nil
}

func withQuery(uri string, query url.Values, destination *string) string {
	if destination != nil {
		query.Set("destination", *destination)
	}
	if len(query) == 0 {
		return uri
	}
	return uri + "?" + query.Encode()
}

func listDeadLetters(c adminClient, destination *string) error {
	limit := c.flags.Int("limit")
	uri := withQuery("/webhooks/dead", url.Values{"limit": {strconv.Itoa(limit)}}, destination)
	return ask(c, http.MethodGet, uri, nil, func(letters []queue.DeadLetter) error {
		if len(letters) == limit {
			fmt.Fprintf(c.notes, "These are %d, and there may be more; --limit takes up to %d.\n", limit, admin.MaxLimit)
		}
		return printDead(c.w, letters, time.Now())
	})
}

func showDeadLetters(c adminClient, uri string) error {
	return ask(c, http.MethodGet, uri, nil, func(letters []admin.DeadLetter) error {
		for i, letter := range letters {
			if i > 0 {
				fmt.Fprintln(c.w)
			}
			if err := printDeadLetter(c.w, letter, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
}

func discardDead(c adminClient, uri string, selection any) error {
	return ask(c, http.MethodDelete, uri, selection, func(answer admin.Discarded) error {
		if answer.Discarded == 0 {
			return c.say(noDead)
		}
		return c.say("Discarded %s.", count(answer.Discarded, "dead letter", "dead letters"))
	})
}

func runReplay(c adminClient, args []string) error {
	selection, err := replaySelection(c.flags, args, time.Now())
	if err != nil {
		return err
	}
	return ask(c, http.MethodPost, "/webhooks/replay", selection, func(answer admin.Replayed) error {
		if answer.Replayed == 0 {
			return c.say("Nothing to replay.")
		}
		return c.say("%s will be made again.", count(answer.Replayed, "delivery", "deliveries"))
	})
}

// replaySelection reads from the flags what to replay.
func replaySelection(fl caddycmd.Flags, ids []string, now time.Time) (admin.Selection, error) {
	selection := admin.Selection{IDs: ids, Dead: fl.Bool("dead")}
	var err error
	if selection.Destination, err = destinationFlag(fl); err != nil {
		return selection, err
	}
	if since := fl.String("since"); since != "" {
		t, err := parseSince(since, now)
		if err != nil {
			return selection, err
		}
		selection.Since = t.UTC().Format(time.RFC3339Nano)
	}
	if len(selection.Ways()) != 1 {
		return selection, errors.New("say which events: by their ids, by --dead, or by --since <time>; by one of these")
	}
	_, err = admin.ParseIDs(ids)
	return selection, err
}

// parseSince reads a time, or how long ago it was.
func parseSince(s string, now time.Time) (time.Time, error) {
	if ago, err := caddy.ParseDuration(s); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	t, err := admin.ParseTime(s)
	if err != nil {
		return t, fmt.Errorf("--since: %w; or say how long ago, as in 2h or 7d", err)
	}
	return t, nil
}

func runPause(c adminClient, args []string) error {
	return ask(c, http.MethodPost, "/webhooks/pause/"+url.PathEscape(args[0]), nil, func(struct{}) error {
		return c.say("Paused %s; its events wait until \"caddy webhooks resume %[1]s\".", args[0])
	})
}

func runResume(c adminClient, args []string) error {
	return ask(c, http.MethodPost, "/webhooks/resume/"+url.PathEscape(args[0]), nil, func(struct{}) error {
		return c.say("Resumed %s.", args[0])
	})
}

func runForget(c adminClient, args []string) error {
	return ask(c, http.MethodPost, "/webhooks/forget/"+url.PathEscape(args[0]), nil, func(answer admin.Discarded) error {
		return c.say("Forgot %s, and discarded %s that it still had.", args[0], count(answer.Discarded, "event", "events"))
	})
}

const noDead = "No dead letters."

// printDead prints a line for each dead letter.
func printDead(w io.Writer, letters []queue.DeadLetter, now time.Time) error {
	if len(letters) == 0 {
		_, err := fmt.Fprintln(w, noDead)
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tPROVIDER\tEVENT\tTYPE\tDESTINATION\tATTEMPTS\tSTATUS\tAGE")
	for _, l := range letters {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", cell(l.ID), cell(l.Provider), cell(l.EventID), cell(l.Type), cell(l.Destination),
			l.Attempts, statusText(l.LastStatus), age(now.Sub(l.Died)))
	}
	return table.Flush()
}

// printDeadLetter prints all there is to know about one.
func printDeadLetter(w io.Writer, l admin.DeadLetter, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row(table, "id", l.ID)
	row(table, "provider", l.Provider)
	row(table, "event", l.EventID)
	row(table, "type", l.Type)
	row(table, "destination", l.Destination)
	row(table, "received", timeText(l.Received, now))
	row(table, "died", timeText(l.Died, now))
	row(table, "attempts", fmt.Sprint(l.Attempts))
	row(table, "last status", statusText(l.LastStatus))
	row(table, "last error", l.LastError)
	row(table, "last answer", l.Excerpt)
	if err := table.Flush(); err != nil {
		return err
	}
	if len(l.Body) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%s\n", printableLines(bodyText(l.Body)))
	return err
}

// row prints a line of a table about one thing, unless there is nothing to tell.
func row(table io.Writer, name, text string) {
	if text != "" {
		fmt.Fprintf(table, "%s\t%s\n", name, printable(text))
	}
}

// bodyText returns a body as people read it: JSON indented, and what is none as
// it was sent.
func bodyText(body json.RawMessage) string {
	var text string
	if json.Unmarshal(body, &text) == nil {
		return text
	}
	return string(pretty(body))
}

// statusText names the last answer.
func statusText(status int) string {
	if status == 0 {
		return "none"
	}
	return fmt.Sprint(status)
}

func timeText(t, now time.Time) string {
	return fmt.Sprintf("%s (%s ago)", t.UTC().Format(time.RFC3339), age(now.Sub(t)))
}

// age shortens a duration to its largest unit.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(d, 0)/time.Second) // clocks differ
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/day)
	}
}

// count names n things.
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// printJSON prints an answer of the API.
func printJSON(w io.Writer, answer []byte) error {
	_, err := fmt.Fprintln(w, printableLines(string(pretty(bytes.TrimSpace(answer)))))
	return err
}

// cell returns a text as a table shows it: printable, and cut when it is long.
func cell(s string) string {
	runes := []rune(printable(s))
	if len(runes) > maxCell {
		return string(runes[:maxCell-1]) + "…"
	}
	return string(runes)
}

// printableLines is printable for a text of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// printable escapes what could steer a terminal, or reorder what it shows, as
// JSON does: JSON means the same afterwards.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}
