package form

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
)

// part is a parameter or a file of a multipart form.
type part struct {
	*multipart.Part
	value []byte
}

// isFile reports whether the part is a file, which has a name of its own.
func (p part) isFile() bool { return p.FileName() != "" }

// eachPart calls do for each part of a multipart form.
func eachPart(contentType string, body []byte, do func(part) error) error {
	boundary, err := boundary(contentType)
	if err != nil {
		return err
	}
	// The reader takes a body that ends after a boundary for a whole one.
	if end := []byte("--" + boundary + "--"); !bytes.HasPrefix(body, end) && !bytes.Contains(body, append([]byte("\n"), end...)) {
		return fmt.Errorf("%w: it is cut short", ErrBroken)
	}
	// No signature covers the Content-Type: under another boundary, text in a part could
	// become parts of its own, after a beginning that the reader skips.
	if !beginsWith(body, boundary) {
		return fmt.Errorf("%w: it does not begin with the boundary of the Content-Type", ErrBroken)
	}
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for n := 0; ; n++ {
		next, err := reader.NextRawPart()
		//nolint:errorlint // io.EOF is the end only if it is not wrapped
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: a part of it is cut short, or malformed", ErrBroken)
		}
		if n == MaxParameters {
			return ErrTooMany
		}
		if next.FormName() == "" {
			return fmt.Errorf("%w: a part has no name", ErrBroken)
		}
		value, err := io.ReadAll(next)
		if err != nil {
			return fmt.Errorf("%w: a part of it is cut short", ErrBroken)
		}
		if err := do(part{next, value}); err != nil {
			return err
		}
	}
}

// beginsWith reports whether the first line of a body that is not empty is the boundary.
func beginsWith(body []byte, boundary string) bool {
	line, _, _ := bytes.Cut(bytes.TrimLeft(body, "\r\n"), []byte("\n"))
	rest, ok := bytes.CutPrefix(bytes.TrimRight(line, " \t\r"), []byte("--"+boundary))
	return ok && (len(rest) == 0 || string(rest) == "--")
}

// parseMultipart reads a body in parts.
func parseMultipart(contentType string, body []byte) (Form, error) {
	var f Form
	err := eachPart(contentType, body, func(p part) error {
		if !p.isFile() {
			f = append(f, Parameter{p.FormName(), string(p.value)})
		}
		return nil
	})
	return f, err
}

// rewriteMultipart implements Rewrite. The parts are written anew, with their headers.
func rewriteMultipart(contentType string, body []byte, rewrite func(Parameter) (string, bool)) ([]byte, error) {
	boundary, err := boundary(contentType)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(len(body))
	w := multipart.NewWriter(&out)
	if w.SetBoundary(boundary) != nil {
		return nil, fmt.Errorf("%w: its boundary is not one", ErrBroken)
	}
	err = eachPart(contentType, body, func(p part) error {
		value, keep := string(p.value), true
		if p.isFile() {
			_, keep = rewrite(Parameter{Name: p.FormName()})
		} else {
			value, keep = rewrite(Parameter{p.FormName(), value})
		}
		if !keep {
			return nil
		}
		to, partErr := w.CreatePart(p.Header)
		if partErr == nil {
			_, partErr = io.WriteString(to, value)
		}
		return partErr
	})
	if err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}
