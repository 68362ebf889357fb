package verify

import (
	"crypto/ed25519"
	"fmt"
)

// The form of a signature, for errors about one that does not match. s must have its
// defaults.

// signatureSize returns the number of bytes of a signature.
func (s Signature) signatureSize() int {
	if newHash := hashes[s.Algorithm]; newHash != nil {
		return newHash().Size()
	}
	return ed25519.SignatureSize
}

// isWellFormed reports whether a text is a signature by some key.
func (s Signature) isWellFormed(signature string) bool {
	enc, size := encodings[s.Encoding], s.signatureSize()
	if len(signature) != len(enc.AppendEncode(nil, make([]byte, size))) {
		return false
	}
	decoded, err := enc.DecodeString(signature)
	return err == nil && len(decoded) == size && string(enc.AppendEncode(nil, decoded)) == signature
}

// whichItem describes the items of the header that are signatures, if not all are.
func (s Signature) whichItem() string {
	switch {
	case s.Separator == "" && s.Prefix != "":
		return fmt.Sprintf(": it should begin with %q", s.Prefix)
	case s.Item > 0 && s.Prefix != "":
		return fmt.Sprintf(": item %d should begin with %q", s.Item, s.Prefix)
	case s.Item > 0:
		return fmt.Sprintf(": it should have an item %d", s.Item)
	case s.Prefix != "":
		return fmt.Sprintf(": it should have an item that begins with %q", s.Prefix)
	}
	return ""
}

// timestampPlace names the place of the timestamp.
func (s Signature) timestampPlace() string {
	switch t := s.Timestamp; {
	case t.Header != "":
		return "header " + t.Header
	case t.Item > 0:
		return fmt.Sprintf("the timestamp, item %d of header %s,", t.Item, s.Header)
	default:
		return fmt.Sprintf("the timestamp, the item of header %s that begins with %q,", s.Header, t.Prefix)
	}
}
