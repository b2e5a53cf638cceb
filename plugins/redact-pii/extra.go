package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
)

// jsonText is a string, a key or a long number in a JSON document.
type jsonText struct {
	start, end int // in the document, with the quotes
	value      string
	key        bool
}

// minNumber is how many digits a number has that could be personal.
const minNumber = 7

// readTexts returns the texts of a JSON document, in order.
func readTexts(doc []byte) ([]jsonText, error) {
	if len(doc) == 0 {
		return nil, nil
	}
	if !json.Valid(doc) {
		return nil, errors.New("no valid JSON")
	}
	var texts []jsonText
	for i := 0; i < len(doc); {
		switch c := doc[i]; {
		case c == '"':
			t := jsonText{start: i, end: stringEnd(doc, i)}
			raw := doc[t.start:t.end]
			if bytes.IndexByte(raw, '\\') < 0 {
				t.value = string(raw[1 : len(raw)-1])
			} else if err := json.Unmarshal(raw, &t.value); err != nil {
				return nil, err
			}
			rest := bytes.TrimLeft(doc[t.end:], " \t\r\n")
			t.key = len(rest) > 0 && rest[0] == ':'
			if t.value != "" {
				texts = append(texts, t)
			}
			i = t.end
		case c == '-' || c >= '0' && c <= '9':
			j, digits := i+1, true
			for ; j < len(doc) && bytes.IndexByte([]byte(",]} \t\r\n"), doc[j]) < 0; j++ {
				digits = digits && doc[j] >= '0' && doc[j] <= '9'
			}
			if digits && c != '-' && j-i >= minNumber {
				texts = append(texts, jsonText{start: i, end: j, value: string(doc[i:j])})
			}
			i = j
		default:
			i++
		}
	}
	return texts, nil
}

// stringEnd returns the end of the string that begins at i of a valid document.
func stringEnd(doc []byte, i int) int {
	for i++; doc[i] != '"'; i++ {
		if doc[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// writeTexts returns the document with the texts replaced by others; what is not changed stays byte for byte. A number
// becomes a string where it is changed. Keys that become equal are told apart by "#2", "#3" and so on.
func writeTexts(doc []byte, texts []jsonText, values []string) []byte {
	var out []byte
	var keys keyNames
	at := 0
	for i, t := range texts {
		v := values[i]
		if v == t.value {
			continue
		}
		if t.key {
			if keys == nil {
				keys = takenKeys(texts, values)
			}
			v = keys.free(v)
		}
		out = append(out, doc[at:t.start]...)
		out = appendString(out, v)
		at = t.end
	}
	if at == 0 {
		return doc
	}
	return append(out, doc[at:]...)
}

// keyNames holds the keys of a document, and how often each was asked for.
type keyNames map[string]int

func takenKeys(texts []jsonText, values []string) keyNames {
	k := keyNames{}
	for i, t := range texts {
		if t.key && values[i] == t.value {
			k[t.value] = 1
		}
	}
	return k
}

// free returns the key, with a number behind it where it is taken.
func (k keyNames) free(key string) string {
	name := key
	for k[name] > 0 {
		k[key]++
		name = key + "#" + strconv.Itoa(k[key])
	}
	k[name]++
	return name
}

func appendString(dst []byte, s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string is always encoded
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}
