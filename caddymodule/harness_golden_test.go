package caddymodule_test

import (
	"flag"
	"fmt"
	"strings"
)

var update = flag.Bool("update", false, "write the golden files anew")

// firstDifference returns the first line in which two texts differ.
func firstDifference(got, want string) string {
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := 0; ; i++ {
		switch {
		case i == len(gotLines) && i == len(wantLines):
			return "no difference"
		case i == len(gotLines):
			return fmt.Sprintf("line %d is missing:\nwant %s", i+1, wantLines[i])
		case i == len(wantLines):
			return fmt.Sprintf("line %d is too many:\ngot  %s", i+1, gotLines[i])
		case gotLines[i] != wantLines[i]:
			return fmt.Sprintf("line %d:\ngot  %s\nwant %s", i+1, gotLines[i], wantLines[i])
		}
	}
}
