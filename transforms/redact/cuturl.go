package redact

import "strings"

// CutURL returns a URL without the credentials in it: the user information, and every parameter of the query or the
// fragment whose name or value is that of a token. A URL without them is returned as it is.
func CutURL(raw string) string {
	out := raw
	if at := strings.Index(out, "://"); at >= 0 {
		end := at + 3 + strings.IndexAny(out[at+3:]+"/", "/?#")
		if user := strings.LastIndexByte(out[at+3:end], '@'); user >= 0 {
			out = out[:at+3] + out[at+3+user+1:]
		}
	}
	out, fragment, hasFragment := strings.Cut(out, "#")
	out, query, hasQuery := strings.Cut(out, "?")
	if hasQuery {
		if q := cutParams(query); q != "" || query == "" {
			out += "?" + q
		}
	}
	if hasFragment {
		if strings.Contains(fragment, "=") {
			fragment = cutParams(fragment)
		}
		if fragment != "" || strings.HasSuffix(raw, "#") {
			out += "#" + fragment
		}
	}
	return out
}

func cutParams(query string) string {
	var b strings.Builder
	for rest := query; rest != ""; {
		i := strings.IndexAny(rest, "&;")
		param, sep := rest, ""
		if i >= 0 {
			param, sep, rest = rest[:i], rest[i:i+1], rest[i+1:]
		} else {
			rest = ""
		}
		if name, value, _ := strings.Cut(param, "="); !isSecret(name, value) {
			b.WriteString(param)
			b.WriteString(sep)
		}
	}
	if s := b.String(); s != query {
		return strings.TrimRight(s, "&;")
	}
	return query
}

// isSecret judges a parameter by its name, and by its value: long rows of mixed letters and digits are made by machines
// to be secret.
func isSecret(name, value string) bool {
	if value == "" {
		return false
	}
	n := strings.ToLower(name)
	for _, w := range []string{
		"token", "secret", "passw", "passwd", "signature", "credential", "apikey", "api_key",
		"api-key", "accesskey", "access_key", "auth", "session", "jwt", "x-amz-", "x-goog-",
	} {
		if strings.Contains(n, w) {
			return true
		}
	}
	switch n {
	case "key", "sig", "pwd", "pass", "code", "otp", "hmac", "hash", "sid", "ticket", "policy", "awsaccesskeyid", "key-pair-id":
		return true
	}
	return isRandom(value)
}

func isRandom(v string) bool {
	if len(v) < 24 {
		return false
	}
	var letters, digits int
	for i := range len(v) {
		switch c := v[i]; {
		case isDigit(c):
			digits++
		case isLetter(c):
			letters++
		case strings.IndexByte("-_.%=+/", c) < 0:
			return false
		}
	}
	return letters >= 4 && digits >= 4
}
