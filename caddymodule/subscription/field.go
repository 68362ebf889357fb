package subscription

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
)

// Keys of API.Fields.
const (
	FieldID        = "id"
	FieldName      = "name"
	FieldURL       = "url"
	FieldEvents    = "events"
	FieldInbox     = "inbox"
	FieldToken     = "token"
	FieldHeader    = "header"
	FieldBasicAuth = "basic_auth"
	FieldActive    = "active"
	FieldError     = "error"
)

// required are the fields that every API must have: they identify a subscription.
var required = []string{FieldID, FieldName, FieldURL}

// field describes a field that an API may have: how it is read from an answer,
// written to a request, and compared. One that only the provider sets is neither
// written nor compared.
type field struct {
	word        string
	read        func(s *Subscription, member json.RawMessage) error
	write       func(s *Subscription) any
	differences func(have, want *Subscription) []Difference
}

// fields lists all fields, in the order in which they are shown.
var fields = []field{
	{
		word: FieldID,
		read: func(s *Subscription, member json.RawMessage) error { return readText(member, &s.ID) },
	},
	{
		word:  FieldName,
		read:  func(s *Subscription, member json.RawMessage) error { return readText(member, &s.Name) },
		write: func(s *Subscription) any { return s.Name },
		differences: func(have, want *Subscription) []Difference {
			return textDifferences(FieldName, have.Name, want.Name)
		},
	},
	{
		word:  FieldURL,
		read:  func(s *Subscription, member json.RawMessage) error { return readText(member, &s.URL) },
		write: func(s *Subscription) any { return s.URL },
		differences: func(have, want *Subscription) []Difference {
			return urlDifferences(have.URL, want.URL)
		},
	},
	{
		word:  FieldEvents,
		read:  func(s *Subscription, member json.RawMessage) error { return json.Unmarshal(member, &s.Events) },
		write: func(s *Subscription) any { return s.Events },
		differences: func(have, want *Subscription) []Difference {
			return setDifferences(FieldEvents, have.Events, want.Events)
		},
	},
	{
		word:  FieldInbox,
		read:  func(s *Subscription, member json.RawMessage) error { return readText(member, &s.Inbox) },
		write: writeInbox,
		differences: func(have, want *Subscription) []Difference {
			return textDifferences(FieldInbox, have.Inbox, want.Inbox)
		},
	},
	{
		word:  FieldToken,
		read:  func(s *Subscription, member json.RawMessage) error { return readText(member, &s.Token) },
		write: func(s *Subscription) any { return s.Token },
		differences: func(have, want *Subscription) []Difference {
			return hiddenDifferences(FieldToken, have.Token == want.Token, have.Token != "", want.Token != "")
		},
	},
	{
		word:  FieldHeader,
		read:  func(s *Subscription, member json.RawMessage) error { return json.Unmarshal(member, &s.Headers) },
		write: func(s *Subscription) any { return append([]Header{}, s.Headers...) }, // [] if there are none
		differences: func(have, want *Subscription) []Difference {
			return headerDifferences(have.Headers, want.Headers)
		},
	},
	{
		word:  FieldBasicAuth,
		read:  func(s *Subscription, member json.RawMessage) error { return json.Unmarshal(member, &s.BasicAuth) },
		write: func(s *Subscription) any { return s.BasicAuth }, // {} if there is none
		differences: func(have, want *Subscription) []Difference {
			var none BasicAuth
			return hiddenDifferences(FieldBasicAuth, have.BasicAuth == want.BasicAuth, have.BasicAuth != none, want.BasicAuth != none)
		},
	},
	{
		word: FieldActive,
		read: readActive,
	},
	{
		word: FieldError,
		read: readError,
	},
}

// writeInbox returns the number, or null if there is none.
func writeInbox(s *Subscription) any {
	if s.Inbox == "" {
		return nil
	}
	return json.Number(s.Inbox)
}

// idPattern matches valid ids. An id becomes a segment of a path.
var idPattern = regexp.MustCompile(`^[0-9A-Za-z_-][0-9A-Za-z_.:~-]{0,199}$`)

// read reads a subscription from an answer. A malformed field counts as not
// reported; it is an error if the field is required.
func (a *API) read(answer json.RawMessage) (Subscription, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(answer, &members); err != nil || members == nil {
		return Subscription{}, errors.New("a subscription that is not an object")
	}
	s := Subscription{reported: make(map[string]bool)}
	for _, f := range fields {
		member, ok := members[a.Fields[f.word]]
		if !ok || !a.Has(f.word) {
			continue
		}
		err := f.read(&s, member)
		if err != nil && slices.Contains(required, f.word) {
			return s, errors.New("a subscription with a malformed " + f.word)
		}
		s.reported[f.word] = err == nil
	}
	if !idPattern.MatchString(s.ID) {
		return s, errors.New("a subscription without an id")
	}
	return s, nil
}

// write returns the members of the fields in words; null for one without a value.
func (a *API) write(s *Subscription, words []string) map[string]any {
	members := make(map[string]any)
	for _, f := range fields {
		if f.write != nil && a.Has(f.word) && slices.Contains(words, f.word) {
			members[a.Fields[f.word]] = f.write(s)
		}
	}
	return members
}

// writeAll returns the members of all fields that have a value. In a whole
// subscription, a missing member means the same as null, which not every API
// accepts.
func (a *API) writeAll(s *Subscription) map[string]any {
	members := make(map[string]any)
	for _, f := range fields {
		if f.write == nil || !a.Has(f.word) {
			continue
		}
		if value := f.write(s); value != nil {
			members[a.Fields[f.word]] = value
		}
	}
	return members
}

// readText reads a string, a number as it is written, or null.
func readText(member json.RawMessage, to *string) error {
	var number json.Number
	if json.Unmarshal(member, &number) == nil && len(member) > 0 && member[0] != '"' {
		*to = number.String()
		return nil
	}
	return json.Unmarshal(member, to)
}

// readActive reads whether events are sent. Null is an error: it does not report
// it.
func readActive(s *Subscription, member json.RawMessage) error {
	var active *bool
	if err := json.Unmarshal(member, &active); err != nil || active == nil {
		return errors.New("neither true nor false")
	}
	s.Active = *active
	return nil
}

// readError reads an error: a text, or an object with date and message.
func readError(s *Subscription, member json.RawMessage) error {
	if json.Unmarshal(member, &s.Error) == nil {
		return nil
	}
	var noted struct{ Date, Message string }
	if err := json.Unmarshal(member, &noted); err != nil {
		return err
	}
	s.Error = noted.Message
	if noted.Date != "" && noted.Message != "" {
		s.Error += " (" + noted.Date + ")"
	}
	return nil
}
