package verify

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// MaxElements is the maximum number of elements of one body that are proved one by one.
const MaxElements = 1000

// eachElement is the part of a path that goes through an array.
const eachElement = "#"

// elements is the way to the elements of a body that are signed one by one: names of
// members, and between two of these paths a step into each element of an array.
type elements struct {
	path  string
	steps []memberPath
}

// newElements parses a path such as `items.#.event`.
func newElements(path string) (*elements, error) {
	e := &elements{path: path}
	rest := path
	for {
		before, after, found := strings.Cut(rest, "."+eachElement+".")
		names, err := parseMemberPath(before)
		if err != nil {
			if strings.HasSuffix(before, "."+eachElement) {
				return nil, errors.New("a # at the end is not needed; an array at the end of the path holds the elements")
			}
			return nil, err
		}
		e.steps = append(e.steps, names)
		if !found {
			return e, nil
		}
		rest = after
	}
}

// find returns the elements of a body. What is at the end of the path is an element, or an
// array of them.
func (e *elements) find(root gjson.Result) ([]gjson.Result, error) {
	found := []gjson.Result{root}
	for i, step := range e.steps {
		var below []gjson.Result
		for _, value := range found {
			at, err := step.find(value)
			if err != nil {
				return nil, explain(err, "member "+e.path+" of the body")
			}
			switch {
			case at.IsArray():
				below = append(below, elementsOf(at)...)
			case i < len(e.steps)-1:
				return nil, because(ErrMissing, "member %s of the body does not go through an array", e.path)
			default:
				below = append(below, at)
			}
			if len(below) > MaxElements {
				return nil, because(ErrBad, "the body has more than %d elements at %s", MaxElements, e.path)
			}
		}
		found = below
	}
	if len(found) == 0 {
		return nil, because(ErrMissing, "the body has no element at %s", e.path)
	}
	return found, nil
}

// elementsOf returns the elements of an array, up to one more than MaxElements.
func elementsOf(array gjson.Result) []gjson.Result {
	var found []gjson.Result
	array.ForEach(func(_, element gjson.Result) bool {
		found = append(found, element)
		return len(found) <= MaxElements
	})
	return found
}

// verifyEach proves every element. The proof is that of the first one.
func (v *SignatureVerifier) verifyEach(r *Request) (Proof, error) {
	found, err := v.elements.find(subject{Request: r}.root())
	if err != nil {
		return Proof{}, err
	}
	var first Proof
	for i := range found {
		proof, err := v.verify(subject{Request: r, element: &found[i]})
		if err != nil {
			return Proof{}, fmt.Errorf("%w (element %d at %s)", err, i+1, v.elements.path)
		}
		if i == 0 {
			first = proof
		}
	}
	return first, nil
}
