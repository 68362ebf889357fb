package command

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// print prints the report of a run: with text, or as JSON.
func (r *subscriptionsRun) print(text func() error) error {
	if !r.isJSON {
		return text()
	}
	r.printed = true
	var why failures
	why = append(why, r.unread...)
	if r.failure != "" {
		why = append(why, errors.New(r.failure))
	}
	var answer bytes.Buffer
	encoder := json.NewEncoder(&answer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(struct {
		Subscriptions []*providerSide `json:"subscriptions"`
		ByHand        []byHand        `json:"by_hand"`
		Error         string          `json:"error,omitempty"`
	}{append([]*providerSide{}, r.sides...), append([]byHand{}, r.byHands...), why.Error()})
	if err != nil {
		return err
	}
	return printJSON(r.out, answer.Bytes())
}

// printPlans prints the plans as a diff.
func (r *subscriptionsRun) printPlans() error {
	for _, s := range r.sides {
		if s.Changes == nil {
			continue // unknown
		}
		r.printHead(s)
		switch {
		case len(s.Changes) == 0 && len(s.Unreported) > 0:
			r.line("  = %s is up to date, except for fields that the API does not return: %s", s.ID, strings.Join(s.Unreported, ", "))
		case len(s.Changes) == 0 && s.ID != "":
			r.line("  = %s is up to date", s.ID)
		case len(s.Changes) == 0:
			r.line("  nothing to do")
		}
		for _, change := range s.Changes {
			r.printChange(change)
		}
		if len(s.Changes) > 0 && len(s.Unreported) > 0 {
			r.line("  ! not compared, since the API does not return them: %s", strings.Join(s.Unreported, ", "))
		}
		r.printNotes(s)
		if len(s.Changes) == 0 {
			r.printTried(s)
		}
	}
	r.printByHand()
	return nil
}

func (r *subscriptionsRun) printHead(s *providerSide) {
	r.line("%s: %s at %s", s.place, quoted(s.Name), s.URL)
}

// signs begin the lines of a diff.
var signs = map[string]string{
	subscription.ActionCreate: "+", subscription.ActionUpdate: "~", subscription.ActionDelete: "-",
	subscription.Add: "+", subscription.Replace: "~", subscription.Remove: "-",
}

func (r *subscriptionsRun) printChange(change subscription.Change) {
	switch change.Action {
	case subscription.ActionCreate:
		r.line("  + create")
	case subscription.ActionUpdate:
		r.line("  ~ update %s", change.ID)
	default:
		r.line("  - delete %s, %s at %s", change.ID, quoted(change.Name), change.URL)
	}
	if change.Action == subscription.ActionUpdate && len(change.Differences) == 0 {
		r.line("      with the values that it has")
	}
	r.printDifferences(change.Differences)
}

func (r *subscriptionsRun) printDifferences(differences []subscription.Difference) {
	width := 0
	for _, d := range differences {
		width = max(width, len(d.Field))
	}
	for _, d := range differences {
		value := d.Value
		switch {
		case value == "":
			value = "(not shown)"
		case d.Op == subscription.Replace && d.Field == subscription.FieldURL:
			value += " (its query changes)"
		case d.Op == subscription.Replace && d.Field == subscription.FieldHeader:
			value += " (its value changes)"
		case d.Op == subscription.Replace:
			value += " (the API does not return the old value)"
		}
		r.line("      %s %-*s  %s", signs[d.Op], width, d.Field, value)
	}
}

// printNotes prints the notes that were not printed before.
func (r *subscriptionsRun) printNotes(s *providerSide) {
	for _, note := range s.Notes {
		if !slices.Contains(s.printedNotes, note) {
			s.printedNotes = append(s.printedNotes, note)
			r.line("  ! %s", note)
		}
	}
}

// printByHand prints what to enter at providers by hand.
func (r *subscriptionsRun) printByHand() {
	for _, manual := range r.byHands {
		r.line("%s: by hand, enter there: %s", manual.Provider, manual.Enter)
	}
}

// done maps actions to participles.
var done = map[string]string{
	subscription.ActionCreate: "created", subscription.ActionUpdate: "updated", subscription.ActionDelete: "deleted",
}

// printDone prints the changes that were made.
func (r *subscriptionsRun) printDone() error {
	for _, s := range r.sides {
		for _, change := range s.Changes[:s.Done] {
			r.line("%s: %s %s", s.title, done[change.Action], cmp.Or(change.ID, s.ID, "it"))
		}
		if s.Error == "" {
			r.printTried(s)
		}
		r.printNotes(s)
	}
	return nil
}

// printTried prints that the URL accepts the credentials, if it does.
func (r *subscriptionsRun) printTried(s *providerSide) {
	switch {
	case s.Challenge && s.Accepted:
		r.line("%s: %s returns the challenge, and accepts the credentials", s.title, s.URL)
	case s.Challenge:
		r.line("%s: %s returns the challenge", s.title, s.URL)
	case s.Accepted:
		r.line("%s: %s accepts the credentials", s.title, s.URL)
	}
}

// printList prints a table for each block.
func (r *subscriptionsRun) printList() error {
	for _, s := range r.sides {
		if s.Error != "" {
			continue
		}
		r.line("%s:", s.title)
		if len(s.Found) == 0 {
			r.line("  none")
			continue
		}
		table := tabwriter.NewWriter(r.text, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "  ID\tOURS\tNAME\tURL\tEVENTS\tSTATE")
		for _, f := range s.Found {
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\n", f.ID, yesNo(f.Ours), cell(f.Name), printable(f.URL), f.eventsText(), f.stateText())
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	r.printByHand()
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (f foundSubscription) eventsText() string {
	if f.Events == nil {
		return "-"
	}
	return fmt.Sprint(len(f.Events))
}

// setText returns whether a credential is set, "" if that is unknown.
func setText(isSet *bool) string {
	switch {
	case isSet == nil:
		return ""
	case *isSet:
		return "(not shown)"
	}
	return "none"
}

// stateText returns the state of a subscription, with its last error.
func (f foundSubscription) stateText() string {
	var states []string
	if f.Active != nil && !*f.Active {
		states = append(states, "inactive")
	}
	if len(f.Differs) > 0 {
		states = append(states, "differs, see plan")
	}
	if f.Error != "" {
		states = append(states, "error: "+printable(f.Error))
	}
	return cmp.Or(strings.Join(states, "; "), "ok")
}

// printGot prints all fields of the subscriptions of get.
func (r *subscriptionsRun) printGot() error {
	for _, s := range r.sides {
		for _, f := range s.Found {
			r.line("%s:", s.title)
			table := tabwriter.NewWriter(r.text, 0, 0, 2, ' ', 0)
			row(table, "  id", f.ID)
			row(table, "  name", f.Name)
			row(table, "  url", f.URL)
			row(table, "  events", strings.Join(f.Events, " "))
			row(table, "  inbox", f.Inbox)
			row(table, "  token", setText(f.Token))
			row(table, "  header", strings.Join(f.Header, " "))
			row(table, "  basic_auth", setText(f.BasicAuth))
			row(table, "  ours", yesNo(f.Ours))
			row(table, "  state", f.stateText())
			if err := table.Flush(); err != nil {
				return err
			}
			r.printDifferences(f.Differs)
		}
	}
	return nil
}

// quoted returns a name as it is shown.
func quoted(name string) string { return fmt.Sprintf("%q", cell(name)) }

// line prints one line, escaped by printable.
func (r *subscriptionsRun) line(format string, args ...any) {
	fmt.Fprintln(r.text, printable(fmt.Sprintf(format, args...)))
}
