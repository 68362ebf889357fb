package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// confirm asks a question. Any answer but yes is an error; nothing is its text.
func confirm(in io.Reader, stderr io.Writer, question, nothing string) error {
	fmt.Fprint(stderr, question, " [y/N] ")
	answer, err := bufio.NewReader(in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	if err != nil && answer == "" {
		fmt.Fprintln(stderr)
		return errors.New(nothing + "; pass --yes to run without a prompt")
	}
	return errors.New(nothing)
}
