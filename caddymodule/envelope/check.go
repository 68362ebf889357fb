package envelope

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// MaxDepth is how deep a payload may be nested.
const MaxDepth = 128

var (
	// ErrNotUTF8 says that a payload is not UTF-8.
	ErrNotUTF8 = errors.New("not UTF-8")

	// ErrTooDeep says that a payload is nested deeper than MaxDepth.
	ErrTooDeep = errors.New("nested too deep")

	// ErrNotJSON says that a payload is not JSON.
	ErrNotJSON = errors.New("not JSON")
)

// Check reports whether payload is JSON that an envelope can be written around:
// UTF-8, nested no deeper than MaxDepth, and valid. UTF-8 and depth come first,
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
// What is not JSON gets some answer, and is refused after it.
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
