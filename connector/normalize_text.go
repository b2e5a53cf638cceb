package connector

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/postcall/postcall/transforms"
)

// roleUnknown is the role of a turn that no one is named for.
const roleUnknown = "unknown"

// roleWords are the words of senders for the two sides of a call.
var roleWords = [...]struct{ word, role string }{
	{"agent", transforms.RoleAgent},
	{"user", transforms.RoleUser},
	{"assistant", transforms.RoleAgent},
	{"bot", transforms.RoleAgent},
	{"ai", transforms.RoleAgent},
	{"human", transforms.RoleUser},
	{"customer", transforms.RoleUser},
	{"caller", transforms.RoleUser},
}

// canonicalRole returns the role that a word in any letter case stands for, or "".
func canonicalRole(word []byte) string {
	for i := range roleWords {
		if w := roleWords[i].word; len(w) == len(word) && strings.EqualFold(w, string(word)) {
			return roleWords[i].role
		}
	}
	return ""
}

// nextTurn reads one turn of a transcript's text, from the start of a line on: where its content is and where the next
// turn begins.
//
// A turn begins with a line "Agent: ..." or "User: ...", or another of roleWords, and goes on to the next such line or
// to the end; blanks around its content are no part of it. Text before the first such line is a turn of roleUnknown.
func nextTurn(text []byte, at int) (role string, from, to, next int) {
	role, from = label(text, at)
	if role == "" {
		role = roleUnknown
	}
	for next = at; ; {
		newline := bytes.IndexByte(text[next:], '\n')
		if newline < 0 {
			next = len(text)
			break
		}
		next += newline + 1
		if r, _ := label(text, next); r != "" {
			break
		}
	}
	content := bytes.TrimLeftFunc(text[from:next], unicode.IsSpace)
	from = next - len(content)
	return role, from, from + len(bytes.TrimRightFunc(content, unicode.IsSpace)), next
}

// label reads the label at the start of a line: its role and where it ends, or "" and the start.
func label(text []byte, start int) (role string, end int) {
	const longest = len("assistant")
	i := start
	for i < len(text) && (text[i] == ' ' || text[i] == '\t') {
		i++
	}
	word := i
	for i < len(text) && i-word <= longest && 'a' <= text[i]|0x20 && text[i]|0x20 <= 'z' {
		i++
	}
	if i == len(text) || text[i] != ':' {
		return "", start
	}
	if role = canonicalRole(text[word:i]); role == "" {
		return "", start
	}
	return role, i + 1
}

// parseTranscript reads the turns of a text that is not blank. Their contents are parts of it. Beyond maxTurns all that
// is left is the last turn's.
func parseTranscript(kept string) (turns []transforms.Turn) {
	text := []byte(kept)
	for at := 0; at < len(text); {
		role, from, to, next := nextTurn(text, at)
		if len(turns) == maxTurns-1 {
			next, to = len(text), len(text)
		}
		if from < to || role != roleUnknown {
			turns = append(turns, transforms.Turn{Role: role, Content: kept[from:to]})
		}
		at = next
	}
	return turns
}

// saysTheSame reports whether a text, read as parseTranscript does, has the turns, but for blanks around each.
func saysTheSame(text []byte, turns []transforms.Turn) bool {
	for at := 0; at < len(text); {
		role, from, to, next := nextTurn(text, at)
		at = next
		if role == roleUnknown && from == to {
			continue // blank lines
		}
		if len(turns) == 0 || role == roleUnknown || role != turns[0].Role || string(text[from:to]) != strings.TrimSpace(turns[0].Content) {
			return false
		}
		turns = turns[1:]
	}
	return len(turns) == 0
}

// isRendering reports whether a text is RenderTranscript of the turns, without making it.
func isRendering(text []byte, turns []transforms.Turn) bool {
	cut := func(prefix string) bool {
		if len(text) < len(prefix) || string(text[:len(prefix)]) != prefix {
			return false
		}
		text = text[len(prefix):]
		return true
	}
	for i := range turns {
		name := turns[i].Role
		switch name {
		case transforms.RoleAgent:
			name = "Agent"
		case transforms.RoleUser:
			name = "User"
		}
		if i > 0 && !cut("\n") || !cut(name) || !cut(": ") || !cut(turns[i].Content) {
			return false
		}
	}
	return len(text) == 0
}
