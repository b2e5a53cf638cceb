package elastic

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/postcall/postcall/connector"
)

// item is what Elasticsearch says about one document.
type item struct {
	Status       int
	FailureStore string `json:"failure_store"`
	Error        *itemError
}

type itemError struct {
	Type, Reason string
	CausedBy     struct{ Type string } `json:"caused_by"`
}

type indexed struct{ Index item }

// readAnswer decodes the answer to a request of n documents. Anything but n items, each with a status, is an error: the
// request is then made again, which changes nothing where it had been carried out.
func readAnswer(r io.Reader, n int) ([]indexed, error) {
	a := struct{ Items []indexed }{make([]indexed, 0, n)}
	if err := json.NewDecoder(io.LimitReader(r, maxAnswer)).Decode(&a); err != nil {
		// The text of a JSON error can quote the answer, and the answer the data.
		return nil, fmt.Errorf("the answer is cut off or not JSON (%T)", err)
	}
	if len(a.Items) != n {
		return nil, fmt.Errorf("the answer has %d items for %d documents", len(a.Items), n)
	}
	for i := range a.Items {
		if a.Items[i].Index.Status == 0 {
			return nil, errors.New("the answer has an item without a status")
		}
	}
	return a.Items, nil
}

// outcome collects what came of the events of a batch, over all its requests.
type outcome struct {
	failed, retry map[int]error
	paused        *item
	at            string // the index of it, where it is not the alias's only one
}

func (o *outcome) refuse(i int, err error) {
	if o.failed == nil {
		o.failed = map[int]error{}
	}
	o.failed[i] = err
}

// add notes the fate of event i.
func (o *outcome) add(i int, it *item) {
	switch s := it.Status; {
	case it.FailureStore == "used":
		o.refuse(i, errors.New("the document went to the failure store: "+it.reason()))
	case s >= 200 && s < 300:
	case s == http.StatusConflict: // the store has a newer version
	case it.schema():
		o.paused = it
	case s == http.StatusBadRequest, s == http.StatusRequestEntityTooLarge:
		o.refuse(i, errors.New(it.reason()))
	default:
		if o.retry == nil {
			o.retry = map[int]error{}
		}
		o.retry[i] = errors.New(it.reason())
	}
}

// schema reports whether every other document would fare the same until an operator acts: a missing or closed index, a
// block, missing rights, or a mapping older than this program. The block of a disk at its flood-stage watermark answers
// 429 like an overload (8.19; older ones 403), any other block 403; 503 is a cluster that isn't up yet and comes by itself.
func (it *item) schema() bool {
	switch it.Status {
	case http.StatusTooManyRequests:
		return it.Error != nil && it.Error.Type == "cluster_block_exception"
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return true
	case http.StatusBadRequest:
		if it.Error == nil {
			return false
		}
		switch it.Error.Type {
		case "strict_dynamic_mapping_exception", "index_closed_exception":
			return true
		case "illegal_argument_exception":
			return strings.HasPrefix(it.Error.Reason, "no write index is defined")
		}
	}
	return false
}

// reason says why without a word of the data: Elasticsearch's own reason quotes the id and the value.
func (it *item) reason() string {
	e := it.Error
	if e == nil {
		return fmt.Sprintf("status %d", it.Status)
	}
	s := strings.TrimSpace(fmt.Sprintf("status %d %s", it.Status, errorType(e.Type)))
	if m := fieldOf.FindStringSubmatch(e.Reason); m != nil && fieldTypes()[m[1]] != "" {
		s += " in field " + m[1]
	}
	if c := errorType(e.CausedBy.Type); c != "" {
		s += " (" + c + ")"
	}
	return s
}

var (
	fieldOf  = regexp.MustCompile(`(?:field|field=|field name) ?[\["]+([a-z_.]+)["\]]`)
	typeName = regexp.MustCompile(`^[a-z_]{1,80}$`)
)

// errorType lets only what looks like the name of a type of error through.
func errorType(s string) string {
	if !typeName.MatchString(s) {
		return ""
	}
	return s
}

// err is what Load returns. A schema problem outweighs refused events: they are refused again once it is solved.
func (o *outcome) err(c *client) error {
	switch {
	case o.paused != nil:
		kind := ""
		if e := o.paused.Error; e != nil {
			kind = e.Type
		}
		return connector.Paused(fmt.Errorf("%s is not writable: %s: %s", cmp.Or(o.at, c.alias), o.paused.reason(), c.cure(o.paused.Status, kind)))
	case len(o.failed)+len(o.retry) > 0:
		return &connector.PartialError{Failed: o.failed, Retry: o.retry}
	}
	return nil
}
