package webhooks

import (
	"errors"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
)

// block is where settings are in a Caddyfile. It is the zero value for settings from
// JSON.
type block struct {
	head  blocks.Line
	words map[string]blocks.Line
}

// newBlock returns the block of a line.
func newBlock(head blocks.Line) block {
	b := block{head, make(map[string]blocks.Line)}
	_ = head.Each(func(line blocks.Line) error { // its parser reports errors
		if _, ok := b.words[line.Word]; !ok {
			b.words[line.Word] = line
		}
		return nil
	})
	return b
}

// line returns the line of a word, or the first line of the block.
func (b block) line(word string) blocks.Line {
	if line, ok := b.words[word]; ok {
		return line
	}
	return b.head
}

// wordError is an error about one word of a block.
type wordError struct {
	word string
	err  error
}

// wrong returns an error about a word of a block.
func wrong(word, format string, args ...any) error {
	return &wordError{word, fmt.Errorf(format, args...)}
}

func (e *wordError) Error() string { return e.err.Error() }
func (e *wordError) Unwrap() error { return e.err }

// lineOf returns the line that an error is about: a word of the block, or of a
// `destination` or `subscribe` in it; else the first line of the innermost.
func (b block) lineOf(err error) blocks.Line {
	var inner interface{ in() block }
	if errors.As(err, &inner) {
		b = inner.in()
	}
	var word *wordError
	if errors.As(err, &word) {
		return b.line(word.word)
	}
	return b.head
}

// errorAt returns an error with the file and line that it is about.
func (b block) errorAt(err error) error { return b.lineOf(err).Errf("%v", err) }

// destinationError is an error in one destination.
type destinationError struct {
	destination *Destination
	err         error
}

func (e *destinationError) Error() string { return e.destination.String() + ": " + e.err.Error() }
func (e *destinationError) Unwrap() error { return e.err }
func (e *destinationError) in() block     { return e.destination.block }

// subscribeError is an error in a `subscribe`.
type subscribeError struct {
	subscribe *Subscribe
	err       error
}

func (e *subscribeError) Error() string { return "subscribe: " + e.err.Error() }
func (e *subscribeError) Unwrap() error { return e.err }
func (e *subscribeError) in() block     { return e.subscribe.block }
