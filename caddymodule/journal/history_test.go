package journal

import "testing"

func TestAsJSON(t *testing.T) {
	for body, want := range map[string]string{
		"":                 "",
		`{"n": 1.0,"s":1}`: `{"n": 1.0,"s":1}`,
		"a=b&c":            `"a=b\u0026c"`,
		"{\"a\":\"\xff\"}": `"{\"a\":\"` + "\\ufffd" + `\"}"`,
	} {
		if got := AsJSON([]byte(body)); string(got) != want {
			t.Errorf("%q: %s; want %s", body, got, want)
		}
	}
}
