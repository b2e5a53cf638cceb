package elastic

import (
	"errors"
	"strconv"

	"github.com/postcall/postcall/transforms"
)

const (
	payloadBytes = 5 << 20 // what a _bulk request aims at: Elasticsearch's own advice is 5 to 15 MiB
	keepBytes    = 8 << 20 // a larger buffer, left over from a giant call, is not kept
)

var errVersion = errors.New("version is negative")

// payload is the body of one _bulk request.
type payload struct {
	doc
	events []int // for each action in b, in order, the index of its event in the batch
}

// payloads are those that wait for the next request, of as many loads as usually run at once. A sync.Pool would be empty whenever
// garbage was collected, which under a soft limit of memory is all the time, and each buffer would grow from nothing.
var payloads = make(chan *payload, 2)

func newPayload() *payload {
	select {
	case p := <-payloads:
		p.b, p.events = p.b[:0], p.events[:0]
		return p
	default:
		return new(payload)
	}
}

// recycle gives the buffer back. Only a request that was answered completely may do so: until then the HTTP transport can
// still be reading from it, even after its call has returned.
func (p *payload) recycle() {
	if cap(p.b) > keepBytes {
		return
	}
	select {
	case payloads <- p:
	default:
	}
}

// fill appends events from events[from:] until the payload holds about limit bytes, at least one, and returns the index
// of the first event left out. Each goes into its index, or where there are none into that of the request. An event that Elasticsearch would refuse the whole request for goes to refuse instead.
func (p *payload) fill(events []transforms.Event, indices []string, from, limit int, refuse func(i int, err error)) int {
	for i := from; i < len(events); i++ {
		e := &events[i]
		if e.Version < 0 {
			refuse(i, errVersion)
			continue
		}
		start := len(p.b)
		index := ""
		if indices != nil {
			index = indices[i]
		}
		p.action(e, index)
		p.b = append(p.b, '\n')
		p.event(e)
		p.b = append(p.b, '\n')
		if len(p.b) > limit && start > 0 {
			p.b = p.b[:start]
			return i
		}
		p.events = append(p.events, i)
	}
	return len(events)
}

func (p *payload) action(e *transforms.Event, index string) {
	p.b = append(p.b, `{"index":{`...)
	if index != "" {
		p.b = append(p.b, `"_index":"`...)
		p.b = append(append(p.b, index...), `",`...) // an index's name needs no escaping
	}
	p.b = append(p.b, `"_id":"`...)
	p.b = appendEscaped(p.b, docID(e.Tenant, e.CallID))
	p.b = append(p.b, `","version":`...)
	p.b = strconv.AppendInt(p.b, e.Version, 10)
	p.b = append(p.b, `,"version_type":"external_gte"}}`...)
}
