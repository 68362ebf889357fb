package console

import "strings"

// reason explains why requests are refused.
type reason struct {
	Meaning string // what it usually means
	Remedy  string // what to do
}

// reasons has an explanation for each reason for a refusal, by its code in log and
// metrics.
var reasons = map[string]reason{
	"missing_credential": {
		"The signature, token or password was not in the request.",
		"Compare the names of the headers with what the provider's page asks for. A proxy in front may remove them, or a scanner has found the URL.",
	},
	"bad_credential": {
		"The signature or token is well-formed, and none of the block's secrets matches.",
		"The secret was changed at the provider, or belongs to another endpoint there. Enter the current one; during a rotation, list both. A proxy that changes the body breaks signatures too.",
	},
	"stale_timestamp": {
		"The signed time is too far from this gateway's clock.",
		"Check that the clock is set (NTP). A provider that repeats old requests with their first timestamp needs a larger `tolerance`.",
	},
	"malformed": {
		"The proof is right, and the body is not the JSON or form that the provider documents.",
		"Check the format that is selected at the provider, and that nothing in between changes the body.",
	},
	"too_large": {
		"The body is larger than `max_body`.",
		"Raise `max_body` if the provider really sends such events.",
	},
	"too_deep": {
		"The JSON is nested deeper than 60 levels.",
		"No built-in provider sends this. Look at what the sender puts in free fields.",
	},
	"too_many": {
		"One request holds more than 1,000 events.",
		"Lower the size of batches at the provider.",
	},
	"no_event": {
		"The proof is right, and there is no event in the body.",
		"The request may be of a kind that the provider file does not know. `caddy webhooks explain` shows what it finds in a body.",
	},
	"method": {
		"The request is not a POST.",
		"Usually a browser or a scanner. If it is the provider trying the URL, check which handshake it makes.",
	},
	"queue_unavailable": {
		"The queue could not store the event: it is full, or its database does not answer.",
		"Nothing is lost if the provider repeats. Look at the first line of the overview, and at Caddy's log.",
	},
	"upstream": {
		"The application behind the gateway failed or did not answer.",
		"Look at the application. A `destination` would store events until it is back.",
	},
}

// reasonWords returns the code of a reason in words.
func reasonWords(code string) string { return strings.ReplaceAll(code, "_", " ") }
