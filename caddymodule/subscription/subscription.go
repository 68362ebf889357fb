package subscription

// Subscription is a webhook as a provider has it, or as a block wants it.
type Subscription struct {
	// ID is the identifier that the provider gave it.
	ID string

	// Name is its label. Name and URL identify the subscription of a block.
	Name string

	// URL is the URL that the provider sends to. Its query may hold a token.
	URL string

	// Events are the provider's own names of the events to send.
	Events []string

	// Inbox is the number of the only inbox whose events are sent. Empty: all.
	Inbox string

	// Token is the token that the provider presents.
	Token string

	// Headers are the headers that the provider sends with each request.
	Headers []Header

	// BasicAuth is the user name and password that the provider sends with each
	// request. Zero: none.
	BasicAuth BasicAuth

	// Active reports whether the provider sends events.
	Active bool

	// Error is the last error that the provider has recorded. Empty: none.
	Error string

	reported map[string]bool // by the word of a field; false for a malformed one
}

// Header is a header of each request.
type Header struct {
	// Name is the name of the header, in any case.
	Name string `json:"name"`

	// Value is a credential, and never shown.
	Value string `json:"value"`
}

// BasicAuth is a user name and a password. Neither is ever shown.
type BasicAuth struct {
	// Username must not hold a colon.
	Username string `json:"username,omitempty"`

	// Password may be empty.
	Password string `json:"password,omitempty"`
}

// Reports reports whether the provider's answer had a field.
func (s *Subscription) Reports(word string) bool { return s.reported[word] }

// isInactive reports whether the provider reports that it sends no events.
func (s *Subscription) isInactive() bool { return s.reported[FieldActive] && !s.Active }

// IsSame reports whether s has the name and the URL of want. Queries are not
// compared, since a token may be in them.
func (s *Subscription) IsSame(want *Subscription) bool {
	return s.Name == want.Name && IsSamePlace(s.URL, want.URL)
}

// Credentials lists the values of a subscription that must not be shown.
func (s *Subscription) Credentials() []string {
	hidden := []string{s.Token, s.BasicAuth.Username, s.BasicAuth.Password}
	if s.BasicAuth.Username != "" {
		hidden = append(hidden, s.BasicAuth.Username+":"+s.BasicAuth.Password)
	}
	for _, header := range s.Headers {
		hidden = append(hidden, header.Value)
	}
	return hidden
}
