package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// adminClient is one run of a command that calls the admin API of a running
// gateway.
type adminClient struct {
	ctx      context.Context
	in       io.Reader
	w, notes io.Writer
	screen   screen // behind w
	flags    caddycmd.Flags
	address  string // of Caddy's admin endpoint
}

// overAdmin completes a command that calls the admin API: the flags that select
// the gateway are those of `caddy reload`.
func overAdmin(cmd *cobra.Command, run func(c adminClient, args []string) error) *cobra.Command {
	cmd.Flags().Bool("json", false, "Print the answer of the admin API")
	cmd.Flags().String("address", "", "Address of Caddy's admin endpoint; default: that of the config, or "+caddy.DefaultAdminListen)
	cmd.Flags().StringP("config", "c", "", "Configuration file to read that address from")
	cmd.Flags().StringP("adapter", "a", "", "Name of the config adapter to apply")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			address, err := caddycmd.DetermineAdminAPIAddress(fl.String("address"), nil, fl.String("config"), fl.String("adapter"))
			if err != nil {
				return exitError(err)
			}
			if !isAddress(address) {
				return exitError(addressError(address, fl.String("address") != ""))
			}
			c := adminClient{
				ctx: cmd.Context(), in: cmd.InOrStdin(), w: cmd.OutOrStdout(), notes: cmd.ErrOrStderr(),
				screen: screenOf(cmd.OutOrStdout()), flags: fl, address: address,
			}
			if err := run(c, args); err != nil {
				return exitError(err)
			}
			return 0, nil
		})(cmd, args)
	}
	return cmd
}

// isAddress reports whether an address of an admin endpoint can be called: a host
// and a port, or a Unix socket.
func isAddress(s string) bool {
	address, err := caddy.ParseNetworkAddress(s)
	if err != nil {
		return false
	}
	if address.IsUnixNetwork() {
		return true
	}
	return strings.HasPrefix(address.Network, "tcp") && address.Host != "" && address.StartPort > 0 && address.PortRangeSize() == 1
}

// addressError returns the error for an address that cannot be called. In a config, an
// address without a host is valid: Caddy can listen there.
func addressError(address string, isFlag bool) error {
	if isFlag {
		return fmt.Errorf("invalid --address %q; use host:port, such as %s", address, caddy.DefaultAdminListen)
	}
	return fmt.Errorf("cannot call the admin address %q of the config; set --address to host:port, such as %s", address, caddy.DefaultAdminListen)
}

// ask makes a request to the API and prints the answer: with text, or as JSON with
// --json. body is sent as JSON unless it is nil.
func ask[T any](c adminClient, method, uri string, body any, text func(answer T) error) error {
	answer, err := c.request(method, uri, body)
	if err != nil {
		return err
	}
	var decoded T
	if json.Unmarshal(answer, &decoded) != nil {
		return c.notAdmin()
	}
	if c.flags.Bool("json") {
		return printJSON(c.w, answer)
	}
	return text(decoded)
}

// askFor makes a request to the API and returns the answer.
func askFor[T any](c adminClient, method, uri string, body any) (decoded T, err error) {
	answer, err := c.request(method, uri, body)
	if err == nil && json.Unmarshal(answer, &decoded) != nil {
		err = c.notAdmin()
	}
	return decoded, err
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
	// Each request has a connection of its own, which would stay open.
	response, err := caddycmd.AdminAPIRequest(c.address, method, uri, http.Header{"Connection": {"close"}}, encoded)
	if err != nil {
		return nil, askError(err, c.address)
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// notAdmin returns the error for an answer that is not of the admin API.
func (c adminClient) notAdmin() error {
	return fmt.Errorf("%s is not Caddy's admin endpoint (default %s)", c.address, caddy.DefaultAdminListen)
}

// printf prints a line.
func (c adminClient) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(c.w, format+"\n", args...)
	return err
}

// askError returns the error of a command for an error of AdminAPIRequest, which
// has no type.
func askError(err error, address string) error {
	_, answer, answered := strings.Cut(err.Error(), "caddy responded with error: HTTP ")
	if !answered {
		_, why, _ := strings.Cut(err.Error(), `": `) // behind method and URL
		return fmt.Errorf("no Caddy admin endpoint at %s (%s); set --address", address, why)
	}
	var known struct {
		Error string `json:"error"`
	}
	status, encoded, _ := strings.Cut(answer, ":")
	if json.Unmarshal([]byte(encoded), &known) != nil || known.Error == "" {
		return fmt.Errorf("%s is not the admin endpoint of a Caddy with the webhooks module (it answered %s); set --address", address, printable(status))
	}
	if strings.HasPrefix(known.Error, "host not allowed") {
		return fmt.Errorf("the admin endpoint does not allow the host of %s; with --address, give one that it does, such as %s", address, caddy.DefaultAdminListen)
	}
	code, _ := strconv.Atoi(strings.TrimSpace(status))
	return &answeredError{code, printable(known.Error)}
}

// answeredError is an error that the admin API answered.
type answeredError struct {
	status int
	text   string
}

func (e *answeredError) Error() string { return e.text }

// destinationFlag returns --destination, nil for all destinations. An empty value
// is an error: it comes from a variable that is not set, and does not mean all.
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

// withQuery adds a query to a URI, with the destination if there is one.
func withQuery(uri string, query url.Values, destination *string) string {
	if destination != nil {
		query.Set("destination", *destination)
	}
	if len(query) == 0 {
		return uri
	}
	return uri + "?" + query.Encode()
}
