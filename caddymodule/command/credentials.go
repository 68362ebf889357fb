package command

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/command/internal/sample"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

// credentialUsage describes each credential in the help of a command.
type credentialUsage struct{ secret, token, header string }

// addCredentialFlags adds the flags for the credentials of a delivery.
func addCredentialFlags(cmd *cobra.Command, usage credentialUsage) {
	cmd.Flags().String("secret", "", usage.secret+", as in the block's secret; may be {env.NAME} or {file./path}")
	cmd.Flags().String("token", "", usage.token+", as in the block's token; may be {env.NAME} or {file./path}")
	cmd.Flags().String("basic-auth", "", "User name and password, as `name:password`")
	cmd.Flags().StringArrayP("header", "H", nil, usage.header+", as `'Name: value'`; may be repeated")
}

// readCredentials reads them from the flags. Placeholders are not resolved.
func readCredentials(fl caddycmd.Flags) sample.Credentials {
	return sample.Credentials{
		Secret:    fl.String("secret"),
		Token:     fl.String("token"),
		BasicAuth: fl.String("basic-auth"),
	}
}

// setHeaders sets the headers of the flag -H in the header of a request.
func setHeaders(fl caddycmd.Flags, header http.Header) error {
	lines, err := fl.GetStringArray("header")
	if err != nil {
		return err
	}
	set := make(http.Header)
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return errors.New("-H needs a colon, as in 'Name: value'")
		}
		set.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	maps.Copy(header, set)
	return nil
}

// readURL reads --url, the public URL of a block.
func readURL(fl caddycmd.Flags, p *provider.Provider) (string, error) {
	public := fl.String("url")
	switch u, err := url.Parse(public); {
	case public == "":
		return "", nil
	case !p.Spec().Verify.SignsURL():
		return "", fmt.Errorf("--url has no effect: %s does not sign the URL; remove it", p.Name())
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.RawQuery != "", u.Fragment != "":
		return "", errors.New("--url must begin with http:// or https://, name a host, and have no query: that of the request is added")
	}
	return public, nil
}

// resolveCredentials resolves the placeholders in credentials.
func resolveCredentials(c *sample.Credentials) error {
	for _, flag := range []struct {
		name  string
		value *string
	}{{"--secret", &c.Secret}, {"--token", &c.Token}, {"--basic-auth", &c.BasicAuth}} {
		if *flag.value == "" {
			continue
		}
		resolved, err := webhooks.Resolve(flag.name, *flag.value)
		if err != nil {
			return err
		}
		*flag.value = resolved
	}
	return nil
}
