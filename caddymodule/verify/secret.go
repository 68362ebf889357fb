package verify

import (
	"errors"
	"fmt"
	"strings"
)

// secretForms holds the advice for a secret in the wrong form, by encoding.
var secretForms = map[string]string{
	Hex:       "write two hexadecimal digits for each byte",
	Base64:    "write base64 with its padding",
	Base64URL: "write base64url without padding",
}

// CheckSecret checks the form of a secret or a public key, for an error that still has a
// line of the configuration. The error never contains it.
func (s Signature) CheckSecret(secret string) error {
	_, err := s.withDefaults().newChecker(secret)
	return err
}

// decodeKey returns the key that a secret encodes. s must have its defaults.
func (s Signature) decodeKey(secret string) ([]byte, error) {
	secret = strings.TrimPrefix(secret, s.KeyPrefix)
	key := []byte(secret)
	if s.Key != Raw {
		var err error
		if key, err = encodings[s.Key].DecodeString(secret); err != nil {
			return nil, fmt.Errorf("not %s; %s%s", s.Key, secretForms[s.Key], s.afterPrefix())
		}
	}
	if len(key) == 0 {
		return nil, errors.New("it is empty")
	}
	return key, nil
}

// afterPrefix returns a remark about the prefix before the encoded key, if any.
func (s Signature) afterPrefix() string {
	if s.KeyPrefix == "" {
		return ""
	}
	return fmt.Sprintf(", after %q", s.KeyPrefix)
}
