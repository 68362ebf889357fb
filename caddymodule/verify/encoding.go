package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
)

// Encodings of a signature and of a key.
const (
	Hex       = "hex"
	HexUpper  = "hex_upper"
	Base64    = "base64"
	Base64URL = "base64url"
	Raw       = "raw"
)

// encodings are the encodings of signatures and, but for HexUpper, of keys.
var encodings = map[string]encoding{
	Hex:       lowerHex{},
	HexUpper:  upperHex{},
	Base64:    base64.StdEncoding.Strict(),
	Base64URL: base64.RawURLEncoding.Strict(),
}

type encoding interface {
	AppendEncode(dst, src []byte) []byte
	DecodeString(s string) ([]byte, error)
}

// lowerHex is hexadecimal in lower case.
type lowerHex struct{}

func (lowerHex) AppendEncode(dst, src []byte) []byte   { return hex.AppendEncode(dst, src) }
func (lowerHex) DecodeString(s string) ([]byte, error) { return hex.DecodeString(s) }

// upperHex is hexadecimal in upper case.
type upperHex struct{}

func (upperHex) AppendEncode(dst, src []byte) []byte {
	return append(dst, bytes.ToUpper(hex.AppendEncode(nil, src))...)
}
func (upperHex) DecodeString(s string) ([]byte, error) { return hex.DecodeString(s) }

// decode returns the bytes of a text. Only one spelling is right.
func decode(enc encoding, text string) ([]byte, bool) {
	decoded, err := enc.DecodeString(text)
	return decoded, err == nil && string(enc.AppendEncode(nil, decoded)) == text
}
