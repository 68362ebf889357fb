package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

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
