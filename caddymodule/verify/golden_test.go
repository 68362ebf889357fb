package verify_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// messagesFile holds the error messages of these tests, by the name of the test.
const messagesFile = "testdata/messages.json"

var (
	messages = make(map[string]string) // the golden ones
	updates  = make(map[string]string)
)

func TestMain(m *testing.M) {
	flag.Parse()
	file, err := os.ReadFile(messagesFile)
	if err == nil {
		err = json.Unmarshal(file, &messages)
	}
	if err != nil && !*update {
		panic(err)
	}
	code := m.Run()
	if *update && code == 0 {
		maps.Copy(messages, updates)
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", "\t")
		if err := e.Encode(messages); err != nil {
			panic(err)
		}
		if err := os.WriteFile(messagesFile, b.Bytes(), 0o644); err != nil {
			panic(err)
		}
	}
	os.Exit(code)
}

// checkMessage compares an error with the golden message of the test that is
// running.
func checkMessage(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if *update {
		updates[t.Name()] = err.Error()
	} else if want := messages[t.Name()]; err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}
