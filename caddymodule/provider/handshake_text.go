package provider

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// String describes the handshake in words.
func (h Handshake) String() string {
	if h.Empty {
		return "a POST without events is acknowledged"
	}
	var conditions []string
	for _, c := range h.Conditions {
		conditions = append(conditions, c.String())
	}
	if h.Token != "" {
		conditions = append(conditions, "query "+h.Token+" is the token")
	}
	text := "a "
	if h.Unproved {
		text = "an unproved "
	}
	text += cmp.Or(h.Method, http.MethodPost)
	if len(conditions) > 0 {
		text += " in which " + strings.Join(conditions, " and ")
	}
	return text + " is answered with " + h.answerText()
}

// answerText describes the answer: its status, text and headers.
func (h Handshake) answerText() string {
	texts := []string{fmt.Sprint(cmp.Or(h.Status, http.StatusOK))}
	if h.Answer != "" {
		texts = append(texts, h.Answer)
	}
	for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
		texts = append(texts, "header "+name+" "+h.Headers[name])
	}
	return strings.Join(texts, ", ")
}

// String returns the condition as in a provider's file, without `when`.
func (c HandshakeCondition) String() string {
	place := c.Path
	switch {
	case c.Header != "":
		place = "header " + c.Header
	case c.Query != "":
		place = "query " + c.Query
	}
	if len(c.IsNot) > 0 {
		return place + " is not " + strings.Join(c.IsNot, " ")
	}
	return place + " is " + strings.Join(c.Is, " ")
}
