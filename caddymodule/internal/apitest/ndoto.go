package apitest

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// ndotoEvents are those that Ndoto's page lists.
var ndotoEvents = []string{
	"conversation_created", "conversation_updated", "conversation_status_changed",
	"message_created", "message_updated", "contact_created", "contact_updated",
}

// ndoto is the API of https://docs.usendoto.com/webhooks.
type ndoto struct {
	account    string
	listsInbox bool
}

// Ndoto starts a server for one account. Whether its list has the inbox is not
// documented.
func Ndoto(t testing.TB, key, account string, listsInbox bool) *API {
	t.Helper()
	return start(t, key, ndoto{account, listsInbox})
}

func (n ndoto) path() string { return "/api/v1/accounts/" + n.account + "/webhooks" }

func (ndoto) isAuthorized(r *http.Request, key string) bool {
	return r.Header.Get("api_access_token") == key
}

func (ndoto) updateMethod() string { return http.MethodPatch }

func (n ndoto) list(webhooks []map[string]any) any {
	shown := make([]map[string]any, len(webhooks))
	for i, webhook := range webhooks {
		shown[i] = n.shown(webhook)
	}
	return map[string]any{"payload": shown}
}

// get is not among the calls of the page.
func (ndoto) get(map[string]any) (int, any) {
	return http.StatusMethodNotAllowed, problem("another method")
}

func (n ndoto) create(id int, body map[string]any) (webhook map[string]any, status int, answer any) {
	if body["url"] == nil || body["subscriptions"] == nil {
		return nil, http.StatusUnprocessableEntity, problem("url and subscriptions are required")
	}
	webhook = map[string]any{"id": id, "name": "", "active": true}
	if status, answer := n.update(webhook, body); status != http.StatusOK {
		return nil, status, answer
	}
	return webhook, http.StatusOK, n.shown(webhook)
}

func (n ndoto) update(webhook, body map[string]any) (status int, answer any) {
	for member, value := range body {
		if text := ndotoProblem(member, value); text != "" {
			return http.StatusUnprocessableEntity, problem(text)
		}
	}
	for member, value := range body {
		webhook[member] = value
	}
	return http.StatusOK, n.shown(webhook)
}

// ndotoProblem returns what is wrong with a member, "" for nothing.
func ndotoProblem(member string, value any) string {
	isRight := false
	switch member {
	case "url", "name":
		s, ok := value.(string)
		isRight = ok && s != ""
	case "inbox_id":
		_, isNumber := value.(float64)
		isRight = isNumber || value == nil
	case "subscriptions":
		events, ok := value.([]any)
		isRight = ok && len(events) > 0
		for _, event := range events {
			name, ok := event.(string)
			isRight = isRight && ok && slices.Contains(ndotoEvents, name)
		}
	}
	if !isRight {
		return fmt.Sprintf("%s is not right: %v", member, value)
	}
	return ""
}

func (ndoto) deleted(map[string]any) any { return map[string]any{} }

// shown is a webhook as the list shows it.
func (n ndoto) shown(webhook map[string]any) map[string]any {
	members := []string{"id", "url", "name", "subscriptions", "active"}
	if n.listsInbox {
		members = append(members, "inbox_id")
	}
	shown := make(map[string]any)
	for _, member := range members {
		shown[member] = webhook[member]
	}
	return shown
}
