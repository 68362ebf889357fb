package subscription

import (
	"fmt"
	"slices"
)

// maxNotes is the maximum number of notes in a plan: a provider may have
// thousands of subscriptions.
const maxNotes = 20

// notes returns warnings about what no change affects.
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
		notes = append(notes[:maxNotes], fmt.Sprintf("and %d more notes; see `list`", n))
	}
	return notes
}

// plainNotes warns of URLs that are called without TLS.
func (t *Target) plainNotes() []string {
	var notes []string
	if isPlain(t.Client.URL) {
		notes = append(notes, "`api` is plain HTTP, which exposes the API token to the network; use https")
	}
	if isPlain(t.Want.URL) {
		notes = append(notes, "`url` is plain HTTP, which exposes events and credentials to the network; use https")
	}
	return notes
}

func (t *Target) notesOnOurs(s *Subscription) []string {
	var notes []string
	if s.isInactive() {
		notes = append(notes, s.ID+" is inactive: enable it at the provider to get events")
	}
	if s.Error != "" {
		notes = append(notes, fmt.Sprintf("%s: the last error at the provider: %s", s.ID, t.ErrorOf(s)))
	}
	return notes
}

// noteOnOther returns a warning about a subscription that has the URL or the name
// of the block's, but is not the block's; "" for any other.
func (t *Target) noteOnOther(s *Subscription, hasOurs bool) string {
	if slices.ContainsFunc(t.Others, func(want Subscription) bool { return s.IsSame(&want) }) {
		return "" // another block's
	}
	isHere := IsSamePlace(s.URL, t.Want.URL)
	switch {
	case isHere && !hasOurs:
		return fmt.Sprintf("%s, named %q, sends to this URL too; take it over with `update %s %s`", s.ID, short(s.Name), t.Provider, s.ID)
	case isHere:
		return fmt.Sprintf("%s, named %q, sends to this URL too; remove it with `delete %s %s`", s.ID, short(s.Name), t.Provider, s.ID)
	case s.Name == t.Want.Name && !t.OthersUnknown:
		return fmt.Sprintf("%s has this name, but sends to %s; if that is not another gateway, remove it with `delete %s %s`", s.ID, ShownURL(s.URL), t.Provider, s.ID)
	}
	return ""
}

// unreported lists the fields of s that the block sets and the API does not
// return.
func (t *Target) unreported(s *Subscription) []string {
	var words []string
	for _, f := range fields {
		if f.write != nil && t.Client.API.Has(f.word) && !s.reported[f.word] {
			words = append(words, f.word)
		}
	}
	return words
}

// ErrorOf returns the last error that the provider has recorded, as it may be
// shown.
func (t *Target) ErrorOf(s *Subscription) string { return t.Client.Hide(s.Error, s.Credentials()...) }
