package elastic

import (
	"strconv"

	"github.com/postcall/postcall/transforms"
)

// transcript writes the turns as nested objects, the text of each side, and the whole text. Turns are escaped once, into
// the nested objects; the flat texts are copies of those bytes.
func (d *doc) transcript(e *transforms.Event) {
	d.nested(e.Transcript)
	d.side("user_text", transforms.RoleUser, e.Transcript)
	d.side("agent_text", transforms.RoleAgent, e.Transcript)
	if e.TranscriptText != "" {
		d.text("transcript_text", e.TranscriptText)
		return
	}
	d.whole(e.Transcript)
}

func (d *doc) nested(turns []transforms.Turn) {
	d.turns = d.turns[:0]
	if len(turns) == 0 {
		return
	}
	d.key("turns")
	d.b = append(d.b, '[')
	for i := range turns {
		if i > 0 {
			d.b = append(d.b, ',')
		}
		d.b = append(d.b, `{"seq":`...)
		d.b = strconv.AppendInt(d.b, int64(i+1), 10)
		d.b = append(d.b, `,"role":"`...)
		d.b = appendEscaped(d.b, turns[i].Role)
		d.b = append(d.b, `","content":"`...)
		from := len(d.b)
		d.b = appendEscaped(d.b, turns[i].Content)
		d.turns = append(d.turns, span{from, len(d.b)})
		d.b = append(d.b, '"', '}')
	}
	d.b = append(d.b, ']')
}

// side writes what one role said, a line each turn.
func (d *doc) side(name, role string, turns []transforms.Turn) {
	open := false
	for i := range turns {
		if turns[i].Role != role {
			continue
		}
		if !open {
			d.key(name)
			d.b = append(d.b, '"')
			open = true
		} else {
			d.b = append(d.b, '\\', 'n')
		}
		d.copyTurn(i)
	}
	if open {
		d.b = append(d.b, '"')
	}
}

// whole writes what transforms.RenderTranscript returns, without building it first.
func (d *doc) whole(turns []transforms.Turn) {
	if len(turns) == 0 {
		return
	}
	d.key("transcript_text")
	d.b = append(d.b, '"')
	for i := range turns {
		if i > 0 {
			d.b = append(d.b, '\\', 'n')
		}
		switch r := turns[i].Role; r {
		case transforms.RoleAgent:
			d.b = append(d.b, "Agent"...)
		case transforms.RoleUser:
			d.b = append(d.b, "User"...)
		default:
			d.b = appendEscaped(d.b, r)
		}
		d.b = append(d.b, ": "...)
		d.copyTurn(i)
	}
	d.b = append(d.b, '"')
}

func (d *doc) copyTurn(i int) {
	s := d.turns[i]
	d.b = append(d.b, d.b[s.from:s.to]...)
}
