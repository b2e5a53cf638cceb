package main

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

//go:embed samples/*.json
var samples embed.FS

// idPaths are where the senders have the id of a call, and summaryPaths their summary.
var (
	idPaths      = map[string]string{"phonely": "callId", "vapi": "message.call.id", "retell": "call.call_id", "elevenlabs": "data.conversation_id"}
	summaryPaths = map[string]string{
		"phonely": "summary", "vapi": "message.analysis.summary", "retell": "call.call_analysis.call_summary", "elevenlabs": "data.analysis.transcript_summary",
	}
)

// sendPlan is what will be delivered, body by body: built when its turn comes, so that a long plan takes little memory.
type sendPlan struct {
	payloads [][]byte
	bodies   [][]planned // each a body's events
	o        sendOptions
}

// planned is one event of the plan.
type planned struct {
	payload, copy int
	corrected     bool
}

// newPlan reads the payloads and puts their copies, repetitions and corrections in order: each repetition somewhere
// behind the call it repeats.
func newPlan(o sendOptions, files []string, stdin io.Reader) (*sendPlan, error) {
	p := &sendPlan{o: o}
	if len(files) == 0 {
		sample, err := samples.ReadFile("samples/" + o.as + ".json")
		if err != nil {
			return nil, err
		}
		p.payloads = [][]byte{withText(sample, o.idPath, "sample-"+strings.ToLower(rand.Text()[:10]))}
	}
	for _, f := range files {
		err := readPayloads(f, stdin, func(one payload) error {
			if one.err != nil {
				return fmt.Errorf("%s: %w", one.where(), one.err)
			}
			p.payloads = append(p.payloads, slices.Clone(one.body))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if o.test {
		for i := range p.payloads {
			p.payloads[i] = withJSON(p.payloads[i], "isTest", json.RawMessage("true"))
		}
	}
	var events []planned
	for c := range o.count {
		for i := range p.payloads {
			events = append(events, planned{payload: i, copy: c})
		}
	}
	for i := range len(events) {
		for _, again := range []struct {
			share     float64
			corrected bool
		}{{o.duplicates, false}, {o.corrections, true}} {
			if again.share > 0 && mathrand.Float64() < again.share {
				e := events[i]
				e.corrected = again.corrected
				events = append(events, e)
			}
		}
	}
	first := o.count * len(p.payloads)
	for i := first; i < len(events); i++ { // behind all firsts, in any order
		j := i + mathrand.IntN(len(events)-i)
		events[i], events[j] = events[j], events[i]
	}
	p.bodies = slices.Collect(slices.Chunk(events, o.batch))
	return p, nil
}

// body builds the i-th body, and says what it is in an error.
func (p *sendPlan) body(i int) (body []byte, name string) {
	var parts [][]byte
	for _, e := range p.bodies[i] {
		b := p.payloads[e.payload]
		if p.o.count > 1 {
			b = withText(b, p.o.idPath, p.id(e))
		}
		if e.corrected {
			b = withText(b, summaryPaths[p.o.as], "corrected: "+textAt(b, summaryPaths[p.o.as]))
		}
		parts = append(parts, b)
	}
	name = "call " + textAt(parts[0], p.o.idPath)
	if len(parts) == 1 {
		return parts[0], name
	}
	name += fmt.Sprintf(" and %d more", len(parts)-1)
	if p.o.lines {
		for i := range parts {
			var line bytes.Buffer
			if json.Compact(&line, parts[i]) == nil {
				parts[i] = line.Bytes()
			}
		}
		return bytes.Join(parts, []byte("\n")), name
	}
	return slices.Concat([]byte("["), bytes.Join(parts, []byte(",")), []byte("]")), name
}

// id is the id of an event's call.
func (p *sendPlan) id(e planned) string {
	id := textAt(p.payloads[e.payload], p.o.idPath)
	if p.o.count > 1 {
		id += "-" + strconv.Itoa(e.copy+1)
	}
	return id
}

// ids are those of all calls, each once.
func (p *sendPlan) ids() []string {
	var ids []string
	seen := map[string]bool{}
	for _, body := range p.bodies {
		for _, e := range body {
			if id := p.id(e); !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// textAt is the text at a path such as call.id, or "".
func textAt(body []byte, path string) string {
	var v any
	_ = json.Unmarshal(body, &v)
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	s, _ := v.(string)
	return s
}

// withText returns the payload with another text at a path, its other fields untouched.
func withText(body []byte, path, text string) []byte {
	value, err := json.Marshal(text)
	if err != nil {
		return body
	}
	return withJSON(body, path, value)
}

// withJSON is withText for any value.
func withJSON(body []byte, path string, value json.RawMessage) []byte {
	name, rest, deeper := strings.Cut(path, ".")
	var m map[string]json.RawMessage
	if path == "" || json.Unmarshal(body, &m) != nil || m == nil {
		return body
	}
	if deeper {
		value = withJSON(m[name], rest, value)
	}
	m[name] = value
	if len(m[name]) == 0 {
		return body
	}
	b, err := json.Marshal(m)
	if err != nil {
		return body
	}
	return b
}
