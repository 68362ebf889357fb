package verify

import (
	"errors"
	"fmt"
	"strings"
)

// CheckHeaderName refuses a name that is not one of a header, or whose header does
// not reach a Caddy handler: Caddy drops headers with `_` or `.` in their names.
func CheckHeaderName(name string) error {
	if name == "" {
		return errors.New("the name of the header is missing")
	}
	if strings.EqualFold(name, "Host") {
		return errors.New("the header Host proves nothing; use another one")
	}
	for _, c := range name {
		if c <= ' ' || c >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", c) {
			return fmt.Errorf("%q is not the name of a header; use letters, digits and dashes", name)
		}
	}
	if strings.ContainsAny(name, "_.") {
		return fmt.Errorf("header %q does not arrive: Caddy drops headers with _ or . in their names; use another one", name)
	}
	return nil
}
