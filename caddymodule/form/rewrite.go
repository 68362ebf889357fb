package form

// Rewrite returns a body with other values, or without some of its parameters: rewrite
// returns the value of each, and whether it stays. A file is a parameter without a value,
// and stays as it is or goes. If everything stays, the result is body itself.
func Rewrite(contentType string, body []byte, rewrite func(Parameter) (value string, keep bool)) ([]byte, error) {
	changed := false
	noting := func(p Parameter) (string, bool) {
		value, keep := rewrite(p)
		changed = changed || !keep || value != p.Value
		return value, keep
	}
	var out []byte
	var err error
	switch MediaType(contentType) {
	case URLEncoded:
		out, err = rewriteURLEncoded(string(body), noting)
	case Multipart:
		out, err = rewriteMultipart(contentType, body, noting)
	default:
		return nil, ErrBroken
	}
	if err != nil {
		return nil, err
	}
	if !changed {
		return body, nil
	}
	return out, nil
}
