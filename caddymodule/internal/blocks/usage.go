package blocks

import "strings"

// fits reports whether a number of arguments fits one of the alternatives of a
// usage.
func fits(usage string, n int) bool {
	for alternative := range strings.SplitSeq(usage, " | ") {
		least, most, optional := 0, 0, false
		for _, argument := range strings.Fields(alternative) {
			optional = optional || strings.HasPrefix(argument, "[")
			most++
			if !optional {
				least++
			}
			optional = optional && !strings.HasSuffix(argument, "]")
		}
		if n >= least && (n <= most || strings.Contains(alternative, "...")) {
			return true
		}
	}
	return false
}

// form shows how to use a word: each alternative with the word before it.
func form(word, usage string) string {
	forms := strings.Split(usage, " | ")
	for i, arguments := range forms {
		forms[i] = strings.TrimSpace(word + " " + arguments)
	}
	return alternatives(forms)
}

// alternatives lists texts: `a, b or c`.
func alternatives(texts []string) string {
	if len(texts) < 2 {
		return strings.Join(texts, "")
	}
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " or " + texts[last]
}
