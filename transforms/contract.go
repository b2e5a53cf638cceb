package transforms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxAnswers is how many entries an answer may have for each event of its batch, children included.
const maxAnswers = 256

// group holds an answer to the contract of Transformer and cuts it into what became of each event: the event, then its
// children. It adds the plugin to the transforms of each, unless applied is nil. What an answer breaks is an ErrContract
// naming the plugin, the event and the rule.
func group(name string, applied *Applied, batch, out []Encoded) ([][]Encoded, error) {
	groups := make([][]Encoded, 0, len(batch))
	var entry []byte
	if applied != nil {
		entry = entryOf(applied)
	}
	child := 0 // the number of the last child
	for i := range out {
		e := &out[i]
		n, next := len(groups), "" // the event whose children may follow is n-1
		if n < len(batch) {
			next = batch[n].Event.CallID
		}
		var rule string
		switch {
		case n < len(batch) && e.Event.CallID == next:
			groups, child = append(groups, out[i:i+1]), 0
			rule = checkSame(&batch[n].Event, &e.Event)
		case n > 0 && e.Event.ParentCallID == batch[n-1].Event.CallID && e.Event.ParentCallID != "":
			groups[n-1] = groups[n-1][:len(groups[n-1])+1]
			child, rule = checkChild(&batch[n-1].Event, &e.Event, child)
			e.wire = nil // it inherits
		case n < len(batch):
			rule = fmt.Sprintf("expected call %q, or a child of the call before it", next)
		default:
			rule = "it belongs to no event of the batch"
		}
		if rule == "" {
			rule = checkContent(&e.Event)
		}
		if rule != "" {
			return nil, contractError(name, e.Event.CallID, rule)
		}
		if applied != nil {
			e.through(batch[len(groups)-1].Event.Transforms, applied, entry)
		}
	}
	if n := len(groups); n < len(batch) {
		return nil, contractError(name, batch[n].Event.CallID, "it is missing from the answer: every event comes back, dropped ones too")
	}
	return groups, nil
}

// checkSame returns the rule that out breaks as what became of in, or "".
func checkSame(in, out *Event) string {
	switch {
	case out.ParentCallID != in.ParentCallID:
		return "parentCallId must not change"
	case out.Tenant != in.Tenant:
		return "tenant must not change"
	case out.Version != in.Version:
		return "version must not change"
	case out.Source != in.Source:
		return "source must not change"
	case !out.ReceivedAt.Equal(in.ReceivedAt.Truncate(time.Microsecond)):
		return "receivedAt must not change"
	case out.CustomerKey != in.CustomerKey || out.EmailKey != in.EmailKey:
		return "customerKey and emailKey must not change"
	}
	return ""
}

// checkChild fills in what a child has from its parent and returns its number.
func checkChild(parent, child *Event, last int) (int, string) {
	number := strings.TrimPrefix(child.CallID, parent.CallID+"#")
	n, err := strconv.Atoi(number)
	if err != nil || strconv.Itoa(n) != number || n <= last {
		return last, fmt.Sprintf("the children of %q are named with #1, #2 and so on, in order", parent.CallID)
	}
	inherit(&child.Tenant, parent.Tenant)
	inherit(&child.Source, parent.Source)
	inherit(&child.Version, parent.Version)
	inherit(&child.CustomerKey, parent.CustomerKey)
	inherit(&child.EmailKey, parent.EmailKey)
	if child.ReceivedAt.IsZero() {
		child.ReceivedAt = parent.ReceivedAt.Truncate(time.Microsecond)
	}
	same := *parent
	same.ParentCallID = parent.CallID
	return n, checkSame(&same, child)
}

func inherit[T comparable](child *T, parent T) {
	var zero T
	if *child == zero {
		*child = parent
	}
}

// checkContent returns the rule that an event breaks by itself. The codec has checked texts, numbers and times.
func checkContent(e *Event) string {
	switch {
	case e.Outcome.Decision < Keep || e.Outcome.Decision > Reject:
		return fmt.Sprintf("there is no decision %d", e.Outcome.Decision)
	case e.Outcome.Decision != Keep && e.Outcome.Reason == "":
		return "a dropped or rejected event has a reason"
	case len(e.Extra) > 0 && !isObject(e.Extra):
		return "extra must be a JSON object"
	case slices.ContainsFunc(e.Transcript, func(t Turn) bool { return t.Words < 0 }):
		return "the words of a turn can't be negative"
	}
	return ""
}

func isObject(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) && json.Valid(data)
}
