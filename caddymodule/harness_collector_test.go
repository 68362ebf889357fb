package caddymodule_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is a collector of OpenTelemetry that keeps the spans it gets.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []spanGot
	raw   string // all that came
}

// spanGot is a span that a collector got.
type spanGot struct {
	name, trace, id, parent string
	kind                    tracepb.Span_SpanKind
	isError                 bool
	attributes              map[string]string
}

// startCollector starts a collector. env is what makes a gateway send to it.
func startCollector(t testing.TB) (c *collector, env []string) {
	t.Helper()
	c = new(collector)
	c.Server = httptest.NewServer(c)
	t.Cleanup(func() {
		c.Close()
		noteText("spans of "+t.Name(), c.text())
	})
	return c, []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_COMPRESSION=none",
		"OTEL_BSP_SCHEDULE_DELAY=20", "OTEL_SERVICE_NAME=gateway",
	}
}

// ServeHTTP implements OTLP over HTTP.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var export collectorpb.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &export)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw += string(body)
	for _, resource := range export.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, spanGot{
					name: s.Name, trace: hex.EncodeToString(s.TraceId), id: hex.EncodeToString(s.SpanId), parent: hex.EncodeToString(s.ParentSpanId),
					kind: s.Kind, isError: s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR, attributes: attributesOf(s.Attributes),
				})
			}
		}
	}
}

func attributesOf(all []*commonpb.KeyValue) map[string]string {
	values := make(map[string]string, len(all))
	for _, a := range all {
		switch v := a.Value.GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			values[a.Key] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			values[a.Key] = strconv.FormatInt(v.IntValue, 10)
		case *commonpb.AnyValue_BoolValue:
			values[a.Key] = strconv.FormatBool(v.BoolValue)
		}
	}
	return values
}

// text returns all bytes that came.
func (c *collector) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw
}

// where returns the spans of a name for which all attributes, in pairs, are equal.
func (c *collector) where(name string, attributes ...string) []spanGot {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.spans), func(s spanGot) bool {
		for i := 0; i+1 < len(attributes); i += 2 {
			if s.attributes[attributes[i]] != attributes[i+1] {
				return true
			}
		}
		return s.name != name
	})
}

// waitSpan waits for the only span of a name and attributes, and returns it.
func (c *collector) waitSpan(t testing.TB, name string, attributes ...string) spanGot {
	t.Helper()
	waitLong(t, "there is a span "+name, func() bool { return len(c.where(name, attributes...)) > 0 })
	found := c.where(name, attributes...)
	if len(found) != 1 {
		t.Fatalf("%d spans %s with %q, want 1", len(found), name, attributes)
	}
	return found[0]
}

// want checks the place of a span in its trace, and some of its attributes, in pairs.
func (s spanGot) want(t testing.TB, parent spanGot, isError bool, attributes ...string) {
	t.Helper()
	if s.trace != parent.trace || s.parent != parent.id {
		t.Errorf("span %s is a child of %s in trace %s, want %s in %s", s.name, s.parent, s.trace, parent.id, parent.trace)
	}
	if s.isError != isError {
		t.Errorf("span %s is an error: %t, want %t", s.name, s.isError, isError)
	}
	for i := 0; i+1 < len(attributes); i += 2 {
		if got := s.attributes[attributes[i]]; got != attributes[i+1] {
			t.Errorf("span %s has %s %q, want %q", s.name, attributes[i], got, attributes[i+1])
		}
	}
}

// parentText returns the traceparent that names the span.
func (s spanGot) parentText() string { return "00-" + s.trace + "-" + s.id + "-01" }
