package redact

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

//go:embed data/*.gz data/*.txt
var dataFiles embed.FS

// What a word is, as far as detectors ask. The tiers of names and words are two bits each: 0 not in the list, 1 the most
// frequent.
const (
	fStop uint32 = 1 << iota
	fFiller
	fAck
	fUnit
	fBefore
	fCurrency
	fStreet
	fDir
	fApt
	fTitle
	fTLD
	fProvider
	fState
	fPlace
	fOrg
	fCue
	fNameCue
	fKnown // a part of a name that this call knows
	fKeep  // a part of a name that stays
	fWeakKnown
	fCueHere // a cue begins at this token
	fGlued   // a number is glued to the word

	firstShift = 24
	lastShift  = 26
	wordShift  = 28
	tierMask   = 3
)

// numClass is how a word takes part in a number or code.
type numClass uint8

const (
	nNone numClass = iota
	nDigit
	nTeen
	nTens
	nScale
	nRepeat
	nHomophone
	nOrdinal
	nMonth
	nSymbol
	nNato
	nLetter
	nHundreds // "novecientos": its value is in hundreds
)

// entry is what the lexicon knows of a word. A word can be a homophone or a letter besides its class.
type entry struct {
	flags uint32
	class numClass
	val   uint8 // number, month, or character
	alt   uint8 // digit of a homophone + '0', or the letter of a letter word
}

func (e entry) first() uint32 { return e.flags >> firstShift & tierMask }
func (e entry) last() uint32  { return e.flags >> lastShift & tierMask }
func (e entry) word() uint32  { return e.flags >> wordShift & tierMask }

// lexicon holds the words of an engine's languages, which are those that are said most, over the lists of names and words that all
// engines share; and the phrases that begin with them.
type lexicon struct {
	own, shared *table[entry]
	cues, names *table[[]phrase]
}

// slot returns what is known of a word, nil if nothing is. It is not to be changed.
func (l *lexicon) slot(h uint64) *entry {
	if e := l.own.slot(h); e != nil {
		return e
	}
	return l.shared.slot(h)
}

// get returns what is known of a word, or the zero entry.
func (l *lexicon) get(h uint64) (e entry) {
	if p := l.slot(h); p != nil {
		e = *p
	}
	return e
}

// put returns the engine's own entry of the word to be changed; at first it is the shared one.
func (l *lexicon) put(h uint64) *entry {
	if e := l.own.slot(h); e != nil {
		return e
	}
	e := l.own.put(h)
	*e = l.shared.get(h)
	return e
}

// table maps the hash of a word to what is known of it: open addressing, the words themselves are not kept. It is too large for
// the caches of a core, so that a hash lies beside its value.
type table[V any] struct {
	slots []tableSlot[V]
	mask  uint64
	n     int
}

type tableSlot[V any] struct {
	hash uint64 // 0 is free
	val  V
}

// phrase is a row of words that a value follows.
type phrase struct {
	words []uint64 // without the first
	kinds kinds
}

const (
	hashSeed  = 14695981039346656037
	hashPrime = 1099511628211
)

func hashWord(s string) uint64 {
	h := uint64(hashSeed)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * hashPrime
	}
	return h
}

func newTable[V any](size int) *table[V] {
	return &table[V]{slots: make([]tableSlot[V], size), mask: uint64(size - 1)}
}

// slot returns what is known of a word, nil if nothing is.
func (t *table[V]) slot(h uint64) *V {
	for i := (h ^ h>>29) & t.mask; ; i = (i + 1) & t.mask {
		switch s := &t.slots[i]; s.hash {
		case h:
			return &s.val
		case 0:
			return nil
		}
	}
}

// get returns what is known of a word, or the zero value.
func (t *table[V]) get(h uint64) (v V) {
	if p := t.slot(h); p != nil {
		v = *p
	}
	return v
}

// put returns the value of the word to be changed; the table grows as needed.
func (t *table[V]) put(h uint64) *V {
	if t.n*2 >= len(t.slots) {
		old := t.slots
		*t = *newTable[V](2 * len(old))
		for i := range old {
			if s := &old[i]; s.hash != 0 {
				*t.put(s.hash) = s.val
			}
		}
	}
	for i := (h ^ h>>29) & t.mask; ; i = (i + 1) & t.mask {
		switch s := &t.slots[i]; s.hash {
		case 0:
			s.hash = h
			t.n++
			fallthrough
		case h:
			return &s.val
		}
	}
}

// tiered reads a list of words in which "#1" and the like begin a tier.
func tiered(words *table[entry], file string, shift int) error {
	data, err := dataFiles.ReadFile("data/" + file)
	if err != nil {
		return err
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	in := bufio.NewScanner(z)
	tier := uint32(0)
	for in.Scan() {
		if w := in.Text(); w[0] == '#' {
			tier = uint32(w[1] - '0')
		} else {
			words.put(hashWord(w)).flags |= tier << shift
		}
	}
	return in.Err()
}

var flagLists = map[string]uint32{
	"stop": fStop, "filler": fFiller, "ack": fAck, "unit": fUnit, "before": fBefore, "currency": fCurrency, "street": fStreet,
	"dir": fDir, "apt": fApt, "title": fTitle, "tld": fTLD, "provider": fProvider, "state": fState, "place": fPlace, "org": fOrg,
}

var numLists = map[string]numClass{
	"digit": nDigit, "teen": nTeen, "tens": nTens, "scale": nScale, "repeat": nRepeat, "ordinal": nOrdinal, "month": nMonth,
	"symbol": nSymbol, "nato": nNato, "hundreds": nHundreds,
}

// language reads the words of a language file.
func (l *lexicon) language(name string) error {
	f, err := dataFiles.Open("data/" + name + ".txt")
	if err != nil {
		return fmt.Errorf("unknown language %q: this version speaks en and es", name)
	}
	defer func() { _ = f.Close() }()
	return l.load(f)
}

func (l *lexicon) load(r io.Reader) error {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSpace(in.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		list, words, ok := strings.Cut(line, ":")
		if !ok {
			return fmt.Errorf("line %d: no list name", n)
		}
		if err := l.list(list, words); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return in.Err()
}

func (l *lexicon) list(list, words string) error {
	if flag := flagLists[list]; flag != 0 {
		for w := range strings.FieldsSeq(words) {
			l.put(hashFolded(w)).flags |= flag
		}
		return nil
	}
	if t, ok := strings.CutPrefix(list, "cue "); ok {
		k, ok := kindOf(Type(t))
		if !ok {
			return fmt.Errorf("unknown type %q", t)
		}
		for p := range strings.SplitSeq(words, "|") {
			l.phrase(l.cues, p, fCue, k.bit())
		}
		return nil
	}
	if list == "name" {
		for p := range strings.SplitSeq(words, "|") {
			l.phrase(l.names, p, fNameCue, 0)
		}
		return nil
	}
	return l.numbers(list, words)
}

func (l *lexicon) numbers(list, words string) error {
	class, ok := numLists[list]
	if !ok && list != "homophone" && list != "letter" {
		return fmt.Errorf("unknown list %q", list)
	}
	for w := range strings.FieldsSeq(words) {
		word, value, ok := strings.Cut(w, "=")
		if !ok || value == "" {
			return fmt.Errorf("%q has no value", w)
		}
		e := l.put(hashFolded(word))
		n, err := strconv.Atoi(value)
		switch {
		case list == "homophone" && err == nil:
			e.alt = '0' + byte(n%10)
		case list == "letter":
			e.alt = value[0]
		case class == nNato && e.class != nNone: // november
			e.alt = value[0]
		case class == nSymbol || class == nNato:
			e.class, e.val = class, value[0]
		case err != nil:
			return fmt.Errorf("%q has no number", w)
		default:
			e.class, e.val = class, byte(n)
		}
	}
	return nil
}

func (l *lexicon) phrase(to *table[[]phrase], text string, flag uint32, k kinds) {
	var ws []uint64
	for w := range strings.FieldsSeq(text) {
		h := hashFolded(w)
		ws = append(ws, h)
		l.put(h)
	}
	if len(ws) == 0 {
		return
	}
	l.put(ws[0]).flags |= flag
	ps := to.put(ws[0])
	for i := range *ps { // the same words can tell of two types
		if p := &(*ps)[i]; len(p.words) == len(ws)-1 && equal(p.words, ws[1:]) {
			p.kinds |= k
			return
		}
	}
	*ps = append(*ps, phrase{ws[1:], k})
}

func equal(a, b []uint64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func foldWord(w string) string { return strings.ReplaceAll(fold(w), "'", "") }

// hashFolded is hashWord(foldWord(w)), without a copy of words that only an apostrophe makes long.
func hashFolded(w string) uint64 {
	h := uint64(hashSeed)
	for i := 0; i < len(w); i++ {
		switch c := w[i]; {
		case c == '\'':
		case c < 0x80:
			h = (h ^ uint64(lower(c))) * hashPrime
		case strings.HasPrefix(w[i:], "’"):
			i += len("’") - 1
		default:
			return hashWord(foldWord(w))
		}
	}
	return h
}

// sharedWords are the lists of names and words.
var sharedWords = sync.OnceValues(func() (*table[entry], error) {
	words := newTable[entry](1 << 18)
	for _, f := range []struct {
		name  string
		shift int
	}{{"first.txt.gz", firstShift}, {"last.txt.gz", lastShift}, {"words.txt.gz", wordShift}} {
		if err := tiered(words, f.name, f.shift); err != nil {
			return nil, fmt.Errorf("word list %s: %w", f.name, err)
		}
	}
	for i := range words.slots { // john is a name, whatever else it is
		if e := &words.slots[i].val; e.first() == 1 && e.word() == 3 {
			e.flags &^= tierMask << wordShift
		}
	}
	return words, nil
})

func newLexicon(languages []string) (*lexicon, error) {
	words, err := sharedWords()
	if err != nil {
		return nil, err
	}
	l := &lexicon{newTable[entry](1 << 12), words, newTable[[]phrase](1 << 10), newTable[[]phrase](1 << 8)}
	for _, name := range languages {
		if err := l.language(name); err != nil {
			return nil, err
		}
	}
	return l, nil
}
