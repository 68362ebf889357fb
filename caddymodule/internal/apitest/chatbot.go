package apitest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// chatbot is the API of https://www.chatbot.com/docs/webhooks/.
type chatbot struct{ client *http.Client }

// ChatBot starts a server. When a webhook is saved, it sends its URL a challenge,
// and refuses the webhook if the URL does not return it.
func ChatBot(t testing.TB, key string) *API {
	t.Helper()
	return start(t, key, chatbot{&http.Client{
		Timeout: 10 * time.Second,
		// The end of another server closes connections of the default transport.
		Transport: &http.Transport{DisableKeepAlives: true},
	}})
}

func (chatbot) path() string { return "/webhooks" }

func (chatbot) isAuthorized(r *http.Request, key string) bool {
	return r.Header.Get("Authorization") == "Bearer "+key
}

func (chatbot) updateMethod() string { return http.MethodPut }

// list leaves out the members that only get returns.
func (chatbot) list(webhooks []map[string]any) any {
	shown := make([]map[string]any, len(webhooks))
	for i, webhook := range webhooks {
		noted := ""
		if e, ok := webhook["error"].(map[string]any); ok {
			noted, _ = e["message"].(string)
		}
		shown[i] = map[string]any{"id": webhook["id"], "name": webhook["name"], "url": webhook["url"], "error": noted}
	}
	return shown
}

func (chatbot) get(webhook map[string]any) (int, any) { return http.StatusOK, webhook }

func (c chatbot) create(n int, body map[string]any) (webhook map[string]any, status int, answer any) {
	webhook = map[string]any{"id": fmt.Sprintf("58ee2e085d033800059a%04x", n), "error": map[string]any{}}
	status, answer = c.update(webhook, body)
	if status != http.StatusOK {
		return nil, status, answer
	}
	return webhook, status, answer
}

// update replaces a webhook: PUT has all members.
func (c chatbot) update(webhook, body map[string]any) (status int, answer any) {
	if text := chatbotProblem(body); text != "" {
		return http.StatusUnprocessableEntity, problem(text)
	}
	if text := c.challenge(body); text != "" {
		return http.StatusBadRequest, problem(text)
	}
	auth := map[string]any{"username": "", "password": ""}
	for member, value := range body["auth"].(map[string]any) {
		auth[member] = value
	}
	for _, member := range []string{"name", "url", "token", "headers"} {
		webhook[member] = body[member]
	}
	webhook["auth"] = auth
	return http.StatusOK, c.deleted(webhook)
}

// chatbotProblem returns what is wrong with a body, "" for nothing.
func chatbotProblem(body map[string]any) string {
	var b struct {
		Name, URL, Token *string
		Headers          *[]struct{ Name, Value string }
		Auth             *struct{ Username, Password string }
	}
	content, _ := json.Marshal(body)
	decoder := json.NewDecoder(strings.NewReader(string(content)))
	decoder.DisallowUnknownFields()
	switch err := decoder.Decode(&b); {
	case err != nil:
		return err.Error()
	case b.Name == nil || b.URL == nil || b.Token == nil || b.Headers == nil || b.Auth == nil:
		return "name, url, token, headers and auth are required"
	case *b.Name == "" || len(*b.Name) > 1024 || len(*b.Token) > 1024 || len(*b.Headers) > 99:
		return "something is too short or too long"
	}
	for _, header := range *b.Headers {
		if header.Name == "" || len(header.Name) > 128 || header.Value == "" || len(header.Value) > 1024 {
			return "a header is too short or too long"
		}
	}
	return ""
}

// challenge calls the URL as ChatBot.com does, and returns what is wrong with the
// answer, "" for nothing.
func (c chatbot) challenge(body map[string]any) string {
	const challenge = "challenge-of-chatbot"
	u, err := url.Parse(body["url"].(string))
	if err != nil {
		return "the url is not one"
	}
	query := u.Query()
	query.Set("challenge", challenge)
	query.Set("token", body["token"].(string))
	u.RawQuery = query.Encode()
	response, err := c.client.Get(u.String())
	if err != nil {
		return "the url does not answer"
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK || string(answer) != challenge {
		return "the url does not answer the challenge"
	}
	return ""
}

func (chatbot) deleted(webhook map[string]any) any {
	return map[string]any{
		"id":        webhook["id"],
		"timestamp": "2018-01-12T13:40:40.260Z",
		"status":    map[string]any{"code": http.StatusOK, "type": "success"},
	}
}
