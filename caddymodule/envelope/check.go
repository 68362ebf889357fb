package envelope

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

const (
	// MaxDepth is how deep a payload may be nested: an object in an object is two
	// deep.
	MaxDepth = 60

	// MaxEnvelopeDepth is how deep an envelope is nested at most. It is the lowest
	// default limit of the common parsers, that of .NET.
	MaxEnvelopeDepth = 64
)

var (
	// ErrNotUTF8 is the error of a payload that is not UTF-8.
	ErrNotUTF8 = errors.New("not UTF-8")

	// ErrTooDeep is the error of a payload that is nested deeper than MaxDepth.
	ErrTooDeep = errors.New("nested too deep")

	// ErrNotJSON is the error of a payload that is not JSON.
	ErrNotJSON = errors.New("not JSON")
)

// Check checks that an envelope can be written around the payload: that it is
// UTF-8, nested at most MaxDepth deep, and valid JSON. UTF-8 and depth come first,
// in flat scans, because gjson accepts invalid UTF-8 and recurses.
func Check(payload []byte) error {
	if !utf8.Valid(payload) {
		return ErrNotUTF8
	}
	if deeperThan(payload, MaxDepth) {
		return ErrTooDeep
	}
	if !gjson.ValidBytes(payload) {
		return ErrNotJSON
	}
	return nil
}

// deeperThan reports whether brackets outside of strings nest deeper than limit.
// The result means nothing for a payload that is not JSON.
func deeperThan(payload []byte, limit int) bool {
	// Nearly every payload has fewer brackets than that, and counting is fast.
	if bytes.Count(payload, []byte("["))+bytes.Count(payload, []byte("{")) <= limit {
		return false
	}
	depth := 0
	for i := 0; i < len(payload); i++ {
		switch payload[i] {
		case '"':
			for i++; i < len(payload) && payload[i] != '"'; i++ {
				if payload[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			if depth++; depth > limit {
				return true
			}
		case ']', '}':
			depth--
		}
	}
	return false
}
