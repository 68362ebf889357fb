package journal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
)

// ErrCursor is the error of a cursor that did not come from an earlier page.
var ErrCursor = errors.New("not a cursor; use `next` of the page before, or leave it out")

// cursor is where a list goes on: for each of its sources by name, the number before
// which its next entries are. A source without one has no more. A nil cursor is the
// beginning of all.
type cursor map[string]int64

// cursorVersion is the version of the text of a cursor.
const cursorVersion = 1

// maxCursor is the maximum length of the text of a cursor, in bytes.
const maxCursor = 1024

// cursorText is a cursor as a text holds it.
type cursorText struct {
	Version int    `json:"v"`
	Before  cursor `json:"b"`
}

// String returns the text of a cursor. It means nothing to its readers.
func (c cursor) String() string {
	text, _ := json.Marshal(cursorText{cursorVersion, c}) // never fails for strings and numbers
	return base64.RawURLEncoding.EncodeToString(text)
}

// parseCursor parses the text of a cursor; "" is the beginning.
func parseCursor(text string) (cursor, error) {
	if text == "" {
		return nil, nil
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(text) > maxCursor {
		return nil, ErrCursor
	}
	var read cursorText
	decoder := json.NewDecoder(bytes.NewReader(decoded))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil || read.Version != cursorVersion || len(read.Before) == 0 {
		return nil, ErrCursor
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, ErrCursor
	}
	for _, before := range read.Before {
		if before < 1 {
			return nil, ErrCursor
		}
	}
	return read.Before, nil
}

// before returns the number before which the next entries of a source are; 0 is its end.
// It returns false for a source that has no more.
func (c cursor) before(source string) (before int64, ok bool) {
	if c == nil {
		return 0, true
	}
	before, ok = c[source]
	return before, ok
}
