package command

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
)

// defaultLines is the number of entries in a table without --limit and --all.
const defaultLines = 50

// addPageFlags adds the flags for the length of a list.
func addPageFlags(cmd *cobra.Command) {
	cmd.Flags().Int("limit", defaultLines, "Maximum number of lines; with --json, the default is all")
	cmd.Flags().Bool("all", false, "Print all of them")
}

// list is a list of the API that comes in pages.
type list struct {
	path  string
	name  string // of the member with the entries
	query url.Values
}

// listPage is a page of a list.
type listPage struct {
	entries []json.RawMessage
	more    bool // whether another page may follow

	// searchedTo is set if a search for a text ended early.
	searchedTo time.Time
}

// printList prints a list: an entry a line in JSON with --json, and with text otherwise.
// It reads one page at a time.
func (c adminClient) printList(l list, text func(page listPage) error) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	if c.flags.Bool("json") {
		text = c.printEntries
	}
	for left := limit; ; {
		size := admin.MaxLimit
		if limit > 0 {
			size = min(size, left)
		}
		page, err := c.page(l, size)
		if err != nil {
			return err
		}
		if err = text(page); err != nil {
			return err
		}
		left -= len(page.entries)
		switch {
		case !page.more:
			return nil
		case limit > 0 && left <= 0:
			if !c.flags.Bool("json") {
				fmt.Fprintf(c.notes, "The first %d; for more, set --limit or --all.\n", limit)
			}
			return nil
		case !page.searchedTo.IsZero():
			fmt.Fprintf(c.notes, "Searched back to %s; going on. Ctrl-C ends it.\n", page.searchedTo.Local().Format(time.DateTime))
		}
	}
}

// limit returns the maximum number of entries, 0 for all.
func (c adminClient) limit() (int, error) {
	limit := c.flags.Int("limit")
	switch {
	case c.flags.Bool("all") && c.flags.Changed("limit"):
		return 0, errors.New("use --limit or --all, not both")
	case c.flags.Bool("all"), c.flags.Bool("json") && !c.flags.Changed("limit"):
		return 0, nil
	case limit < 1:
		return 0, errors.New("--limit must be at least 1; for all, use --all")
	}
	return limit, nil
}

// page reads a page, and sets the query to that of the next one.
func (c adminClient) page(l list, size int) (listPage, error) {
	l.query.Set("limit", strconv.Itoa(size))
	answer, err := c.request(http.MethodGet, l.path+"?"+l.query.Encode(), nil)
	if err != nil {
		return listPage{}, err
	}
	var read map[string]json.RawMessage
	var page listPage
	if json.Unmarshal(answer, &read) != nil || json.Unmarshal(read[l.name], &page.entries) != nil {
		return page, c.notAdmin()
	}
	next := gjson.ParseBytes(read["next"]).String()
	page.more = next != ""
	page.searchedTo = gjson.ParseBytes(read["searched_to"]).Time()
	l.query.Set("cursor", next)
	return page, nil
}

// printEntries prints each entry of a page in JSON, on a line of its own.
func (c adminClient) printEntries(page listPage) error {
	w := bufio.NewWriter(c.w)
	for _, entry := range page.entries {
		if _, err := fmt.Fprintln(w, printable(string(compact(entry)))); err != nil {
			return err
		}
	}
	return w.Flush()
}

// decode decodes the entries of a page.
func decode[T any](page listPage) ([]T, error) {
	decoded := make([]T, len(page.entries))
	for i, entry := range page.entries {
		if err := json.Unmarshal(entry, &decoded[i]); err != nil {
			return nil, fmt.Errorf("the answer of the admin API: %w", err)
		}
	}
	return decoded, nil
}
