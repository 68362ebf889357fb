package queue

import (
	"encoding/binary"
	"errors"
	"slices"
)

// attemptsVersion is the first byte of encoded attempts. The attempts follow, in the
// order in which they ended, each as
//
//   - one byte: the place of the event in its block, from 0;
//   - one byte: the index of the outcome in outcomes, and flags;
//   - when it began, in microseconds after the one before: a signed varint, since
//     attempts overlap;
//   - how long it took, in microseconds: a varint;
//   - its number, if flagged, as a varint; otherwise it is 1;
//   - the status, if flagged, as a varint; otherwise it is 200;
//   - the error and the excerpt, if flagged, each as a varint: the index of a text that
//     has occurred, or the next index, followed by the length as a varint and the text.
//
// So an attempt that goes well takes about 8 bytes.
const attemptsVersion = 1

// outcomes are indexed by the lowest two bits of the second byte. The order must not
// change.
var outcomes = []Outcome{OutcomeDelivered, OutcomeRetrying, OutcomeDead, OutcomeHandedBack}

// Flags in the second byte of an attempt.
const (
	outcomeBits = 1<<2 - 1
	flagReplay  = 1 << (iota + 1)
	flagNumber
	flagStatus
	flagError
	flagExcerpt
	flagsUnused
)

const (
	usualNumber = 1
	usualStatus = 200

	// maxVarint is the maximum of a decoded number: times in microseconds do not
	// overflow when they are added or become durations.
	maxVarint = 1 << 53
)

// endedAttempt is an attempt that has ended, as webhooks_attempts has it. Times are
// microseconds, since 1970 for began.
type endedAttempt struct {
	place          int // of the event in its block, from 0
	number         int
	began, took    int64
	status         int
	outcome        Outcome
	replay         bool
	error, excerpt string
}

// encodedAttempts encodes attempts one by one.
type encodedAttempts struct {
	bytes []byte
	began int64          // of the last one
	texts map[string]int // those that have occurred, with their indexes
}

// add encodes an attempt.
func (e *encodedAttempts) add(a endedAttempt) {
	if len(e.bytes) == 0 {
		e.bytes = append(e.bytes, attemptsVersion)
	}
	second := byte(slices.Index(outcomes, a.outcome)) |
		flagIf(a.replay, flagReplay) |
		flagIf(a.number != usualNumber, flagNumber) |
		flagIf(a.status != usualStatus, flagStatus) |
		flagIf(a.error != "", flagError) |
		flagIf(a.excerpt != "", flagExcerpt)
	e.bytes = append(e.bytes, byte(a.place), second)
	e.bytes = binary.AppendVarint(e.bytes, a.began-e.began)
	e.bytes = binary.AppendUvarint(e.bytes, uint64(max(0, a.took)))
	e.began = a.began
	if second&flagNumber != 0 {
		e.bytes = binary.AppendUvarint(e.bytes, uint64(a.number))
	}
	if second&flagStatus != 0 {
		e.bytes = binary.AppendUvarint(e.bytes, uint64(a.status))
	}
	for _, text := range []string{a.error, a.excerpt} {
		if text != "" {
			e.addText(text)
		}
	}
}

func flagIf(is bool, flag byte) byte {
	if is {
		return flag
	}
	return 0
}

// addText encodes a text or, if it has occurred, its index.
func (e *encodedAttempts) addText(text string) {
	index, ok := e.texts[text]
	if !ok {
		index = len(e.texts)
		if e.texts == nil {
			e.texts = make(map[string]int)
		}
		e.texts[text] = index
	}
	e.bytes = binary.AppendUvarint(e.bytes, uint64(index))
	if !ok {
		e.bytes = binary.AppendUvarint(e.bytes, uint64(len(text)))
		e.bytes = append(e.bytes, text...)
	}
}

// errAttempts means that encoded attempts are damaged.
var errAttempts = errors.New("cannot decode attempts")

// decodeAttempts calls each for every attempt. What it passes refers to no more memory
// than the data takes.
func decodeAttempts(data []byte, each func(a endedAttempt)) error {
	if len(data) == 0 || data[0] != attemptsVersion {
		return errAttempts
	}
	d := attemptsDecoder{rest: data[1:]}
	for began := int64(0); len(d.rest) > 0; {
		a := d.next()
		if d.failed {
			return errAttempts
		}
		began += a.began
		if began < 0 || began > maxVarint {
			return errAttempts
		}
		a.began = began
		each(a)
	}
	return nil
}

// attemptsDecoder decodes attempts one by one.
type attemptsDecoder struct {
	rest   []byte
	texts  []string
	failed bool
}

// next decodes an attempt. Its time is the difference to the one before.
func (d *attemptsDecoder) next() endedAttempt {
	a := endedAttempt{place: int(d.byte()), number: usualNumber, status: usualStatus}
	second := d.byte()
	a.outcome = outcomes[second&outcomeBits]
	a.replay = second&flagReplay != 0
	d.failed = d.failed || second >= flagsUnused
	began, n := binary.Varint(d.rest)
	if d.skip(n); began < -maxVarint || began > maxVarint {
		d.failed = true
	}
	a.began = began
	a.took = int64(d.number())
	if second&flagNumber != 0 {
		a.number = int(d.number())
	}
	if second&flagStatus != 0 {
		a.status = int(d.number())
	}
	if second&flagError != 0 {
		a.error = d.text()
	}
	if second&flagExcerpt != 0 {
		a.excerpt = d.text()
	}
	return a
}

// skip moves on by n bytes; n is not positive if a number is damaged.
func (d *attemptsDecoder) skip(n int) {
	if n <= 0 || n > len(d.rest) {
		d.failed, d.rest = true, nil
		return
	}
	d.rest = d.rest[n:]
}

func (d *attemptsDecoder) byte() (b byte) {
	if len(d.rest) > 0 {
		b = d.rest[0]
	}
	d.skip(1)
	return b
}

func (d *attemptsDecoder) number() uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.skip(n); v > maxVarint {
		d.failed = true
		return 0
	}
	return v
}

func (d *attemptsDecoder) text() string {
	index := d.number()
	if index < uint64(len(d.texts)) {
		return d.texts[index]
	}
	length := d.number()
	if index != uint64(len(d.texts)) || length == 0 || length > uint64(len(d.rest)) {
		d.failed = true
		return ""
	}
	text := string(d.rest[:length])
	d.rest = d.rest[length:]
	d.texts = append(d.texts, text)
	return text
}
