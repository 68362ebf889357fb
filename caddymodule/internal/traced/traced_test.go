package traced_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/traced"
)

// spanContext returns a span context with a tracestate; a remote one comes from a header.
func spanContext(t *testing.T, state string, isRemote bool) trace.SpanContext {
	t.Helper()
	parsed, err := trace.ParseTraceState(state)
	if err != nil {
		t.Fatal(err)
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0x0a, 15: 1}, SpanID: trace.SpanID{0xb7, 7: 2}, TraceFlags: trace.FlagsSampled, TraceState: parsed, Remote: isRemote,
	})
}

const parent = "00-0a000000000000000000000000000001-b700000000000002-01"

func TestOf(t *testing.T) {
	long := "a=" + strings.Repeat("x", 250) + ",b=" + strings.Repeat("x", 250) + ",c=" + strings.Repeat("x", 250) + ",d=" + strings.Repeat("x", 250)
	for _, test := range []struct {
		name string
		span trace.SpanContext
		want traced.Context
	}{
		{"no span", trace.SpanContext{}, traced.Context{}},
		{"a span", spanContext(t, "", false), traced.Context{Parent: parent}},
		{"with a state", spanContext(t, "a=1,b=2", false), traced.Context{Parent: parent, State: "a=1,b=2"}},
		{"with the longest state", spanContext(t, long+",e=1234567890", false), traced.Context{Parent: parent, State: long + ",e=1234567890"}},
		{"with a state that is too long", spanContext(t, long+",e=12345678901", false), traced.Context{Parent: parent}},
		{"what a header claims", spanContext(t, "", true), traced.Context{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := traced.Of(trace.SpanFromContext(trace.ContextWithSpanContext(context.Background(), test.span)))
			if got != test.want || got.IsZero() != (test.want == traced.Context{}) {
				t.Errorf("Of() = %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestWithin(t *testing.T) {
	got := trace.SpanContextFromContext(traced.Context{Parent: parent, State: "a=1"}.Within(context.Background()))
	if want := spanContext(t, "a=1", true); !got.Equal(want) {
		t.Errorf("Within() = %+v, want %+v", got, want)
	}
	if got := trace.SpanContextFromContext(traced.Context{Parent: "broken"}.Within(context.Background())); got.IsValid() {
		t.Errorf("Within() of a broken one = %+v", got)
	}
}

func TestSetHeader(t *testing.T) {
	header := http.Header{"Traceparent": {"other"}, "Tracestate": {"other"}}
	traced.SetHeader(context.Background(), header)
	if header.Get("Traceparent") != "other" || header.Get("Tracestate") != "other" {
		t.Errorf("without a span, the header is %v", header)
	}
	traced.SetHeader(trace.ContextWithSpanContext(context.Background(), spanContext(t, "", false)), header)
	if len(header) != 1 || header.Get("Traceparent") != parent {
		t.Errorf("with a span, the header is %v", header)
	}
}
