package queue

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// encode returns attempts as a row has them.
func encode(all ...endedAttempt) []byte {
	var e encodedAttempts
	for _, a := range all {
		e.add(a)
	}
	return e.bytes
}

// decode returns the attempts of a row.
func decode(data []byte) (all []endedAttempt, err error) {
	err = decodeAttempts(data, func(a endedAttempt) { all = append(all, a) })
	return all, err
}

const someTime = 1_790_000_000_000_000

func TestAttemptsEncoding(t *testing.T) {
	for name, all := range map[string][]endedAttempt{
		"delivered":   {{place: 0, number: 1, began: someTime, took: 1234, status: 200, outcome: OutcomeDelivered}},
		"202":         {{place: 255, number: 1, began: someTime, took: 0, status: 202, outcome: OutcomeDelivered}},
		"retried":     {{place: 7, number: 3, began: someTime, took: 30_000_000, status: 500, outcome: OutcomeRetrying, error: "answered 500", excerpt: "sorry"}},
		"dead":        {{place: 7, number: 24, began: someTime, took: 9, outcome: OutcomeDead, error: "connection refused"}},
		"replayed":    {{place: 7, number: 1, began: someTime, took: 9, status: 200, outcome: OutcomeDelivered, replay: true}},
		"handed back": {{place: 7, number: 2, began: someTime, took: 9, outcome: OutcomeHandedBack, replay: true, error: "context canceled"}},
		"many": {
			{place: 1, number: 1, began: someTime, took: 5, status: 500, outcome: OutcomeRetrying, error: "answered 500", excerpt: "answered 500"},
			{place: 0, number: 1, began: someTime - 10, took: 90, status: 200, outcome: OutcomeDelivered},
			{place: 2, number: 1, began: someTime + 10, took: 5, status: 503, outcome: OutcomeRetrying, error: "answered 503", excerpt: "answered 500"},
			{place: 1, number: 2, began: someTime + 20, took: 5, status: 500, outcome: OutcomeDead, error: "answered 500", excerpt: "\x00\xff"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decode(encode(all...))
			if err != nil || !slices.Equal(got, all) {
				t.Errorf("%+v, %v, want %+v", got, err, all)
			}
		})
	}
}

// TestAttemptsAreSmall encodes what a busy destination takes, and one that is down.
func TestAttemptsAreSmall(t *testing.T) {
	var delivered, failed []endedAttempt
	for i := range 256 {
		a := endedAttempt{place: i, number: 1, began: someTime + int64(i*4000), took: int64(5000 + i%7*900), status: 200, outcome: OutcomeDelivered}
		delivered = append(delivered, a)
		a.status, a.outcome, a.error, a.excerpt = 502, OutcomeRetrying, "dial tcp 127.0.0.1:80: connect: connection refused", strings.Repeat("x", maxExcerpt)
		failed = append(failed, a)
	}
	if n := len(encode(delivered...)); n > 256*8 {
		t.Errorf("256 that went well take %d bytes", n)
	}
	if n := len(encode(failed...)); n > 256*12+maxExcerpt+100 {
		t.Errorf("256 that failed take %d bytes", n)
	}
}

func TestDamagedAttempts(t *testing.T) {
	good := encode(endedAttempt{place: 7, number: 3, began: someTime, took: 300, status: 500, outcome: OutcomeRetrying, error: "answered 500", excerpt: "sorry"})
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}
	with := func(second byte, rest ...byte) []byte { return append([]byte{attemptsVersion, 0, second}, rest...) }
	damaged := map[string][]byte{
		"nothing":                      nil,
		"another version":              append([]byte{2}, good[1:]...),
		"an unknown flag":              with(1<<7, 0, 0),
		"a time before 1970":           with(0, 1, 0),
		"a time far in the future":     with(0, append(huge, 0)...),
		"a duration that overflows":    with(0, append([]byte{0}, huge...)...),
		"a number that overflows":      with(flagNumber, append([]byte{0, 0}, huge...)...),
		"a varint without an end":      with(0, 0, 0x80),
		"a text that has not occurred": with(flagError, 0, 0, 1, 1, 'x'),
		"a text longer than the row":   with(flagError, 0, 0, 0, 2, 'x'),
		"a text of a huge length":      with(flagError, append([]byte{0, 0, 0}, huge...)...),
		"an empty text":                with(flagError, 0, 0, 0, 0),
	}
	for n := 2; n < len(good); n++ {
		damaged[fmt.Sprintf("only %d bytes", n)] = good[:n]
	}
	for name, data := range damaged {
		if got, err := decode(data); !errors.Is(err, errAttempts) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// FuzzAttempts shows that no data makes the decoder panic, and that what it decodes
// can be encoded again.
func FuzzAttempts(f *testing.F) {
	f.Add(encode(endedAttempt{place: 7, number: 3, began: someTime, took: 300, status: 500, outcome: OutcomeRetrying, error: "answered 500", excerpt: "sorry"},
		endedAttempt{place: 8, number: 1, began: someTime - 7, took: 300, status: 200, outcome: OutcomeDelivered, replay: true},
		endedAttempt{place: 255, number: 1, began: someTime, outcome: OutcomeHandedBack, error: "answered 500"}))
	f.Add([]byte{attemptsVersion})
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := decode(data)
		if err != nil {
			return
		}
		texts := 0
		for _, a := range all {
			texts = max(texts, len(a.error), len(a.excerpt))
		}
		if len(all) > len(data)/4 || texts > len(data) {
			t.Fatalf("%d bytes make %d attempts, and a text of %d bytes", len(data), len(all), texts)
		}
		if len(all) == 0 {
			return
		}
		again, err := decode(encode(all...))
		if err != nil || !slices.Equal(again, all) {
			t.Fatalf("%+v, %v, want %+v", again, err, all)
		}
		if !bytes.Equal(encode(again...), encode(all...)) {
			t.Fatal("not encoded the same")
		}
	})
}
