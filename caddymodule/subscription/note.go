package subscription

import (
	"fmt"
	"net"
	"net/url"
	"slices"
)

// maxNotes is how many notes there are about a provider's subscriptions: more
// than that nobody reads, and a provider may list thousands.
const maxNotes = 20

// notes says what no change mends.
func (t *Target) notes(f found) []string {
	notes := t.plainNotes()
	for i := range f.ours {
		notes = append(notes, t.notesOnOurs(&f.ours[i])...)
	}
	for i := range f.others {
		if note := t.noteOnOther(&f.others[i], len(f.ours) > 0); note != "" {
			notes = append(notes, note)
		}
	}
	if n := len(notes) - maxNotes; n > 0 {
		notes = append(notes[:maxNotes], fmt.Sprintf("and %d more of this kind; see `list`", n))
	}
	return notes
}

// plainNotes says what others can read on the way.
func (t *Target) plainNotes() []string {
	var notes []string
	if isPlain(t.Client.URL) {
		notes = append(notes, "`api` is plain HTTP: others can read the API token on the way; use https")
	}
	if isPlain(t.Want.URL) {
		notes = append(notes, "`url` is plain HTTP: others can read on the way what is sent there, and what proves it; use https")
	}
	return notes
}

// isPlain reports whether a URL is called without TLS, over a network.
func isPlain(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

func (t *Target) notesOnOurs(s *Subscription) []string {
	var notes []string
	if s.isInactive() {
		notes = append(notes, s.ID+" is not active: nothing is sent until it is enabled at the provider")
	}
	if s.Error != "" {
		notes = append(notes, fmt.Sprintf("%s: the last error that the provider has noted: %s", s.ID, t.ErrorOf(s)))
	}
	return notes
}

// noteOnOther says what looks as if it were ours and is not, "" for the rest.
func (t *Target) noteOnOther(s *Subscription, hasOurs bool) string {
	if slices.ContainsFunc(t.Others, func(want Subscription) bool { return s.IsSame(&want) }) {
		return "" // another block's
	}
	isHere := IsSamePlace(s.URL, t.Want.URL)
	switch {
	case isHere && !hasOurs:
		return fmt.Sprintf("%s sends here too, and has another name, %q: it is left alone; `update %s %s` takes it over", s.ID, short(s.Name), t.Provider, s.ID)
	case isHere:
		return fmt.Sprintf("%s sends here too, and has another name, %q: it is left alone; `delete %s %s` removes it", s.ID, short(s.Name), t.Provider, s.ID)
	case s.Name == t.Want.Name && !t.OthersUnknown:
		return fmt.Sprintf("%s has this name too, and another URL, %s: it is left alone, as it may be another gateway's; if not, `delete %s %s` removes it", s.ID, ShownURL(s.URL), t.Provider, s.ID)
	}
	return ""
}

// unreported lists the fields that the provider does not report.
func (t *Target) unreported(s *Subscription) []string {
	var words []string
	for _, f := range fields {
		if f.write != nil && t.Client.API.Has(f.word) && !s.reported[f.word] {
			words = append(words, f.word)
		}
	}
	return words
}

// ErrorOf returns the last error that the provider has noted, as it may be shown.
func (t *Target) ErrorOf(s *Subscription) string { return t.Client.Hide(s.Error, s.Credentials()...) }
