package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/postcall/postcall/connector"
)

const (
	maxPreview = 64 << 10
	actTimeout = 3 * time.Minute // a sink that loads alone is waited for
)

// done are the outcomes that the page can be asked to show.
var done = map[string]string{"purge": "The dead letter is purged.", "replay": "The dead letter is replayed."}

// letterView is one dead letter.
type letterView struct {
	row
	Preview  string
	Kind     string // what the preview is
	Confirm  string // replay or purge, where that is to be confirmed
	Problem  string // why what was asked for was not done
	Replays  bool
	Received string
	Attempts int
	Version  int64
	Batch    string
}

// letter shows a dead letter, or asks whether it is to be replayed or purged.
func (c *console) letter(w http.ResponseWriter, r *http.Request) {
	l, err := c.p.DeadLetter(r.Context(), r.PathValue("stage"), r.PathValue("id"))
	if err != nil {
		c.noLetter(w, err)
		return
	}
	c.showLetter(w, http.StatusOK, l, r.URL.Query().Get("confirm"), "")
}

func (c *console) noLetter(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if errors.Is(err, connector.ErrNoDeadLetter) {
		status = http.StatusNotFound
	}
	c.write(w, status, "none", err.Error())
}

func (c *console) showLetter(w http.ResponseWriter, status int, l *connector.DeadLetter, confirm, problem string) {
	v := letterView{
		row: newRow(l, time.Now()), Problem: problem, Received: stamp(l.Received), Attempts: l.Attempts, Version: l.Version, Batch: l.Batch,
		Replays: l.Stage != connector.StageIntake && (l.Stage != connector.StageLoad || len(l.Event) > 0),
	}
	if done[confirm] != "" && l.State == "" {
		v.Confirm = confirm
	}
	v.Kind, v.Preview = c.preview(l)
	c.write(w, status, "letter", v)
}

// preview is the event where redaction has seen it, and the shape of it or of the body where not.
func (c *console) preview(l *connector.DeadLetter) (kind, text string) {
	switch {
	case l.State != "":
		return "It was " + l.State + ", and nothing of it is held any more.", ""
	case len(l.Event) > 0:
		e, err := c.p.DeadEvent(l)
		if err != nil {
			return "It holds data that can't be read any more.", ""
		}
		b, err := e.CanonicalJSON(nil)
		if err != nil {
			return "It can't be shown.", ""
		}
		if !connector.Redacted(e) {
			return "No redaction has seen this event: only the names of its fields and the kinds of their values are shown.", connector.Shape(b)
		}
		var indented bytes.Buffer
		_ = json.Indent(&indented, b, "", "  ") // it is JSON
		if indented.Len() > maxPreview {
			return fmt.Sprintf("The event after redaction, the first %d KiB of it.", maxPreview>>10), indented.String()[:maxPreview]
		}
		return "The event after redaction.", indented.String()
	case l.Stage == connector.StageIntake || l.Stage == connector.StageLoad:
		return "It is damaged data, and can't be shown or replayed.", ""
	}
	body, err := c.p.DeadBody(l)
	if err != nil {
		return "Its body can't be read: " + err.Error(), ""
	}
	return fmt.Sprintf("A body of %d bytes that no redaction has seen: only the names of its fields and the kinds of their values are shown.", len(body)), connector.Shape(body)
}

// act replays or purges a dead letter. The page's script is answered in words, a form with the page.
func (c *console) act(w http.ResponseWriter, r *http.Request) {
	act := r.PathValue("act")
	if done[act] == "" {
		http.NotFound(w, r)
		return
	}
	// Who asked may go away: what has begun is finished.
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(r.Context()), actTimeout, errors.New("it took too long"))
	defer cancel()
	c.acting.Lock()
	defer c.acting.Unlock()
	defer c.look.again()
	l, err := c.p.DeadLetter(ctx, r.PathValue("stage"), r.PathValue("id"))
	if err != nil {
		c.noLetter(w, err)
		return
	}
	if err := c.do(ctx, act, l); err != nil {
		c.showLetter(w, http.StatusConflict, l, "", "Not done: "+err.Error())
		return
	}
	c.log.Info("done from the console", "what", act, "dead_letter", l.ID, "stage", l.Stage, "sink", l.Sink, "remote", address(r))
	http.Redirect(w, r, connector.ConsolePath+"?done="+act, http.StatusSeeOther)
}

func (c *console) do(ctx context.Context, act string, l *connector.DeadLetter) error {
	if l.State != "" {
		return fmt.Errorf("dead letter %s is %s already", l.ID, l.State)
	}
	if act == "purge" {
		return c.p.PurgeDead(ctx, l)
	}
	return c.p.Replay(ctx, l)
}
