package ingress

import (
	"io"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// ReceiptPreference is the preference (RFC 7240) of a sender who wants to know what became
// of a request: a proved one that is answered 2xx is answered with HeaderOutcome, and with
// the name of its first event.
const ReceiptPreference = "webhook-receipt"

// Headers of an answer with a receipt.
const (
	HeaderPreferenceApplied = "Preference-Applied"
	HeaderID                = "Webhook-Id"      // of the first event
	HeaderOutcome           = "Webhook-Outcome" // accepted, unrouted, duplicate or handshake
)

// applyPreference looks for ReceiptPreference in a proved request, and removes it: it is
// for the gateway alone.
func (x *exchange) applyPreference() {
	values, ok := x.r.Header["Prefer"]
	if !ok {
		return
	}
	var others []string
	wantsReceipt := false
	for _, value := range values {
		var kept []string
		for preference := range strings.SplitSeq(value, ",") {
			name, _, _ := strings.Cut(preference, ";")
			name, _, _ = strings.Cut(name, "=")
			if strings.EqualFold(strings.TrimSpace(name), ReceiptPreference) {
				wantsReceipt = true
			} else {
				kept = append(kept, preference)
			}
		}
		if len(kept) > 0 {
			others = append(others, strings.TrimSpace(strings.Join(kept, ",")))
		}
	}
	if !wantsReceipt {
		return
	}
	delete(x.r.Header, "Prefer")
	if len(others) > 0 {
		x.r.Header["Prefer"] = others
	}
	x.w = &receiptWriter{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: x.w}, x: x}
}

// receiptWriter adds the receipt to an answer 2xx.
type receiptWriter struct {
	*caddyhttp.ResponseWriterWrapper
	x        *exchange
	hasBegun bool
}

// WriteHeader adds the receipt, over headers of the application.
func (w *receiptWriter) WriteHeader(status int) {
	if !w.hasBegun && status >= 200 {
		w.hasBegun = true
		if isSuccess(status) {
			w.x.setReceipt(w.Header())
		}
	}
	w.ResponseWriterWrapper.WriteHeader(status)
}

func (w *receiptWriter) begin() {
	if !w.hasBegun {
		w.WriteHeader(http.StatusOK)
	}
}

func (w *receiptWriter) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriterWrapper.Write(p)
}

// ReadFrom keeps the fast way of copying.
func (w *receiptWriter) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError sends the header, with the receipt.
func (w *receiptWriter) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// setReceipt sets the headers of the receipt.
func (x *exchange) setReceipt(header http.Header) {
	outcome := x.outcome
	switch {
	case outcome == "": // of an answer that is passed on
		outcome = outcomeAccepted
	case outcome == outcomeAccepted && x.isUnrouted:
		outcome = outcomeUnrouted
	}
	header.Set(HeaderPreferenceApplied, ReceiptPreference)
	header.Set(HeaderOutcome, string(outcome))
	if x.current.isSet {
		header.Set(HeaderID, x.current.first.String())
	}
}
