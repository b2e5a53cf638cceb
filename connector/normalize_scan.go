package connector

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/postcall/postcall/connector/source"
)

// scan is what one pass over a body finds: where the kept values are, and nothing copied. Everything that can be wrong
// with a body is found here, so that Check and Normalize can't disagree. A scan is reused; nothing of it outlives release.
type scan struct {
	dec  *jsontext.Decoder
	src  bytes.Buffer
	body []byte

	texts      [numFields][]byte // raw JSON of the fields of kinds text, loose and id; nil where not known
	lists      [numFields]interval
	items      [][]byte
	turns      []rawTurn
	extras     []member
	turnExtras []turnMember
	started    time.Time
	ended      time.Time
	duration   float64 // seconds; negative where not known

	size    int    // bytes of all kept texts but transcriptText, an upper bound
	scratch []byte // of unquote
	test    bool   // the sender says so

	wrong FieldErrors // fields that can't be taken; the pass goes on behind each, to name them all
}

// refuse notes a field that can't be taken. Beyond maxFieldErrors of them the pass ends.
func (s *scan) refuse(field, kind, cure string) error {
	s.wrong = append(s.wrong, refused(field, kind, cure))
	if len(s.wrong) >= maxFieldErrors {
		return s.wrong
	}
	return nil
}

type interval struct{ from, to int }

type rawTurn struct{ role, content []byte }

// member is a field of an object, both parts raw JSON.
type member struct{ name, value []byte }

type turnMember struct {
	turn int
	member
}

var scans = sync.Pool{New: func() any { return &scan{dec: jsontext.NewDecoder(new(bytes.Buffer))} }}

// release empties the scan, so that it holds nothing of the body, and gives it back.
func (s *scan) release() {
	const tooMuch = 1 << 20 // one giant body must not stay in memory for ever
	if cap(s.scratch) > tooMuch || cap(s.turns) > 4096 || cap(s.items) > 4096 || cap(s.extras) > 4096 || cap(s.turnExtras) > 4096 {
		return
	}
	clear(s.items)
	clear(s.turns)
	clear(s.extras)
	clear(s.turnExtras)
	s.src = bytes.Buffer{}
	s.dec.Reset(&s.src)
	*s = scan{dec: s.dec, scratch: s.scratch[:0], items: s.items[:0], turns: s.turns[:0], extras: s.extras[:0], turnExtras: s.turnExtras[:0]}
	scans.Put(s)
}

// read is the pass.
func (s *scan) read(body []byte) error {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	s.body, s.duration = body, -1
	s.src = *bytes.NewBuffer(body) // the decoder reads a Buffer in place
	s.dec.Reset(&s.src)
	const cure = "send one call, as one JSON object"
	switch kind := s.dec.PeekKind(); kind {
	case '{':
	case 0:
		if len(bytes.TrimLeft(body, " \t\r\n")) == 0 {
			return malformed("", "nothing", cure)
		}
		_, _, err := s.next()
		return err
	default:
		return refused("", kindName(kind), cure)
	}
	if err := s.object(func(name []byte) error { return s.member(name) }); err != nil {
		return err
	}
	if _, err := s.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return malformed("", "more behind the JSON object", cure)
	}
	if s.texts[fieldCallID] == nil && !s.wrong.names("/callId") {
		_ = s.refuse("/callId", "no value", "send the id of the call: it is the one field that is required")
	}
	if len(s.wrong) > 0 {
		return s.wrong
	}
	return nil
}

// next reads one value, or one name of an object. The raw JSON is a part of the body.
func (s *scan) next() ([]byte, jsontext.Kind, error) {
	v, err := s.dec.ReadValue()
	if err != nil {
		return nil, 0, s.syntax(err)
	}
	end := int(s.dec.InputOffset())
	return s.body[end-len(v) : end], v.Kind(), nil
}

// delimiter reads a brace or a bracket.
func (s *scan) delimiter() error {
	if _, err := s.dec.ReadToken(); err != nil {
		return s.syntax(err)
	}
	return nil
}

// object reads an object whose brace comes next: visit is called behind each name, to read its value.
func (s *scan) object(visit func(name []byte) error) error {
	if err := s.delimiter(); err != nil {
		return err
	}
	for s.dec.PeekKind() != '}' {
		name, _, err := s.next()
		if err != nil {
			return err
		}
		if err := visit(name); err != nil {
			return err
		}
	}
	return s.delimiter()
}

// array reads an array whose bracket comes next: visit is called before each element, to read it.
func (s *scan) array(visit func(i int) error) error {
	if err := s.delimiter(); err != nil {
		return err
	}
	for i := 0; s.dec.PeekKind() != ']'; i++ {
		if err := visit(i); err != nil {
			return err
		}
	}
	return s.delimiter()
}

// member reads the value of a field of the call.
func (s *scan) member(name []byte) error {
	f, known := fieldByName[string(s.unquote(name))]
	if !known {
		value, err := s.extra(2)
		s.extras = append(s.extras, member{name, value})
		return err
	}
	switch fields[f].kind {
	case kindTurns:
		return s.transcript()
	case kindList:
		return s.list(f)
	}
	value, kind, err := s.next()
	if err != nil || kind == 'n' || kind == '"' && s.unknown(value) {
		return err
	}
	if kind == '0' && len(value) > source.MaxNumber {
		return s.refuse(f.pointer(), longNumber, "send it as a string")
	}
	switch fields[f].kind {
	case kindFlag:
		return s.flag(f, value, kind)
	case kindID:
		return s.callID(value, kind)
	case kindTime:
		return s.time(f, value, kind)
	case kindDuration:
		return s.seconds(value, kind)
	}
	switch {
	case kind == '"':
	case fields[f].kind == kindText:
		return s.refuse(f.pointer(), kindName(kind), "send a string or null")
	case kind == '{' || kind == '[':
		return s.refuse(f.pointer(), kindName(kind), "send a string, a boolean, a number or null")
	}
	s.keep(f, value)
	return nil
}

func (s *scan) keep(f field, value []byte) {
	s.texts[f] = value
	if f != fieldTranscriptText {
		s.size += len(value)
	}
}

// extra reads a value that postcall has no place for, inside of depth-1 objects and arrays.
func (s *scan) extra(depth int) ([]byte, error) {
	value, _, err := s.next()
	if err != nil {
		return value, err
	}
	nested, number := extent(value)
	if depth-1+nested > maxDepth {
		err = s.refuse("", "more than "+strconv.Itoa(maxDepth)+" objects and arrays inside each other", "send the call flatter")
	}
	if number > source.MaxNumber {
		err = s.refuse("", longNumber, "send it as a string")
	}
	return value, err
}

func (s *scan) callID(value []byte, kind jsontext.Kind) error {
	const cure = "send the id of the call as a string of 1 to 512 bytes"
	if kind != '"' {
		return s.refuse("/callId", kindName(kind), cure)
	}
	id := bytes.TrimSpace(s.unquote(value))
	if len(id) > maxCallID {
		return s.refuse("/callId", "a string of more than 512 bytes", cure)
	}
	if bytes.ContainsFunc(id, unicode.IsControl) {
		return s.refuse("/callId", "a string with control characters", cure)
	}
	s.keep(fieldCallID, value)
	return nil
}

func (s *scan) time(f field, value []byte, kind jsontext.Kind) error {
	var t time.Time
	ok := false
	switch kind {
	case '"':
		t, ok = parseTime(bytes.TrimSpace(s.unquote(value)))
	case '0':
		t, ok = parseUnix(value)
	}
	if !ok {
		return s.refuse(f.pointer(), kindName(kind)+" that is no time of 2000 to 2100", "send RFC 3339, for example 2026-05-24T18:02:14Z, or a Unix time")
	}
	if f == fieldCallStarted {
		s.started = t
	} else {
		s.ended = t
	}
	return nil
}

// flag reads yes or no, as a boolean or in words.
func (s *scan) flag(f field, value []byte, kind jsontext.Kind) error {
	switch kind {
	case 't', 'f':
		s.test = kind == 't'
		return nil
	case '"':
		if b := readBool(string(s.unquote(value))); b != nil {
			s.test = *b
			return nil
		}
	}
	return s.refuse(f.pointer(), kindName(kind)+" that is neither yes nor no", "send true or false")
}

func (s *scan) seconds(value []byte, kind jsontext.Kind) error {
	if kind == '"' {
		value = bytes.TrimSpace(s.unquote(value))
	}
	d, ok := parseNumber(value)
	if kind != '"' && kind != '0' || !ok || d < 0 || d > maxDuration.Seconds() {
		return s.refuse("/duration", kindName(kind)+" that is no duration", "send seconds as a number from 0 to "+strconv.Itoa(int(maxDuration.Seconds())))
	}
	s.duration = math.Abs(d) // no -0
	return nil
}

func (s *scan) list(f field) error {
	const cure = "send an array of strings, or null"
	if kind := s.dec.PeekKind(); kind != '[' {
		return s.noArray(f, kind, cure)
	}
	from := len(s.items)
	err := s.array(func(i int) error {
		value, kind, err := s.next()
		if err != nil || kind == 'n' || kind == '"' && s.unknown(value) {
			return err
		}
		if kind != '"' {
			return s.refuse(f.pointer()+"/"+strconv.Itoa(i), kindName(kind), "send a string")
		}
		s.items = append(s.items, value)
		s.size += len(value)
		return nil
	})
	s.lists[f] = interval{from, len(s.items)}
	return err
}

// noArray reads what stands where an array should: it may say that nothing is known.
func (s *scan) noArray(f field, kind jsontext.Kind, cure string) error {
	value, _, err := s.next()
	if err != nil || kind == 'n' || kind == '"' && s.unknown(value) {
		return err
	}
	return s.refuse(f.pointer(), kindName(kind), cure)
}

func (s *scan) transcript() error {
	const cure = "send an array of objects with role and content, or null"
	if kind := s.dec.PeekKind(); kind != '[' {
		return s.noArray(fieldTranscript, kind, cure)
	}
	return s.array(func(i int) error {
		kind := s.dec.PeekKind()
		if kind != '{' {
			if _, _, err := s.next(); err != nil || kind == 'n' {
				return err
			}
			return s.refuse("/transcript/"+strconv.Itoa(i), kindName(kind), "send an object with role and content")
		}
		if len(s.turns) == maxTurns {
			s.wrong = append(s.wrong, refused("/transcript", "more than "+strconv.Itoa(maxTurns)+" turns", "send fewer turns"))
			return s.wrong // no more of them is read
		}
		s.turns = append(s.turns, rawTurn{})
		return s.object(func(name []byte) error { return s.turnMember(i, name) })
	})
}

// turnMember reads the value of a field of the turn with the index i in the body.
func (s *scan) turnMember(i int, name []byte) error {
	turn := &s.turns[len(s.turns)-1]
	var kept *[]byte
	switch string(s.unquote(name)) {
	case "role":
		kept = &turn.role
	case "content":
		kept = &turn.content
	default:
		value, err := s.extra(4)
		s.turnExtras = append(s.turnExtras, turnMember{len(s.turns) - 1, member{name, value}})
		return err
	}
	value, kind, err := s.next()
	if err != nil || kind == 'n' {
		return err
	}
	pointer := func() string { return "/transcript/" + strconv.Itoa(i) + "/" + string(s.unquote(name)) }
	if kind != '"' {
		return s.refuse(pointer(), kindName(kind), "send a string")
	}
	if kept == &turn.role {
		role := bytes.TrimSpace(s.unquote(value))
		if utf8.RuneCount(role) > maxRole || bytes.ContainsFunc(role, unicode.IsControl) {
			return s.refuse(pointer(), "a string that is no role", "send agent or user")
		}
	}
	*kept = value
	s.size += len(value)
	return nil
}

// unquote returns the text of a JSON string, or the value itself where it is none. It is valid until the next unquote.
func (s *scan) unquote(value []byte) []byte {
	if len(value) == 0 || value[0] != '"' {
		return value
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1]
	}
	s.scratch, _ = jsontext.AppendUnquote(s.scratch[:0], value) // the decoder has checked it
	return s.scratch
}

// unknown reports whether a JSON string is one of the ways to say nothing.
func (s *scan) unknown(value []byte) bool {
	text := bytes.TrimSpace(value[1 : len(value)-1])
	if len(text) > 0 && text[0] != '\\' && text[0] != 'n' && text[0] != 'N' {
		return false // most of them
	}
	text = bytes.TrimSpace(s.unquote(value))
	return len(text) == 0 || bytes.EqualFold(text, []byte("not available"))
}

// longNumber is what is found where a number is longer than one is taken.
var longNumber = "a number of more than " + strconv.Itoa(source.MaxNumber) + " characters"

// extent says of a valid JSON value how many objects and arrays are inside each other, and how long its longest number is.
func extent(value []byte) (deepest, number int) {
	depth, quoted, run := 0, false, 0
	for i := 0; i < len(value); i++ {
		c := value[i]
		if !quoted && ('0' <= c && c <= '9' || c == '.' || c == '-' || c == '+' || c|0x20 == 'e') {
			run++
			number = max(number, run)
			continue
		}
		run = 0
		switch {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest, number
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "nothing"
}

// syntax says what the decoder's error says, without what it quotes.
func (s *scan) syntax(err error) error {
	var se *jsontext.SyntacticError
	if !errors.As(err, &se) {
		return malformed("", "text that is not JSON", "send one call, as one JSON object")
	}
	field := safePointer(string(se.JSONPointer))
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return malformed(field, "a name for the second time", "send each name of an object once")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return malformed(field, "the end of the body", "send the whole JSON object")
	case !utf8.Valid(s.body):
		return malformed(field, "bytes that are not UTF-8", "encode the body as UTF-8")
	case strings.Contains(err.Error(), "surrogate"):
		return malformed(field, "half a surrogate pair", "don't cut a string inside of a character")
	}
	return malformed(field, "text that is not JSON", "send valid JSON; the mistake is at byte "+strconv.FormatInt(se.ByteOffset, 10))
}

// safePointer cuts a pointer down to the part whose names are postcall's: others are the sender's and may say anything.
func safePointer(pointer string) string {
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	if _, known := fieldByName[parts[0]]; !known {
		return ""
	}
	for i, p := range parts {
		_, err := strconv.Atoi(p)
		if i > 0 && err != nil && p != "role" && p != "content" {
			parts = parts[:i]
			break
		}
	}
	return "/" + strings.Join(parts, "/")
}
