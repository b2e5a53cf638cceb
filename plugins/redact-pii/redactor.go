package main

import (
	"context"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/redact"
)

// redactor adapts the engine to events. It is safe for concurrent use.
type redactor struct {
	engine *redact.Engine
	policy redact.Policy
	key    []byte
}

var _ transforms.Transformer = (*redactor)(nil)

// Transform redacts each event. An event that went through it before comes out as it was.
func (r *redactor) Transform(ctx context.Context, batch []transforms.Event) ([]transforms.Event, error) {
	for i := range batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r.redact(&batch[i])
	}
	return batch, nil
}

func (r *redactor) redact(e *transforms.Event) {
	extra, err := readTexts(e.Extra)
	if err != nil {
		e.Extra = nil
		e.Reject("extra is no valid JSON: it can't be redacted")
		return
	}
	fields := textFields(e)
	call := redact.Call{
		CallerName: e.CallerName,
		Email:      e.MentionedEmail,
		Phone:      e.CustomerPhoneNumber,
		Turns:      make([]redact.Turn, len(e.Transcript)),
		Texts:      make([]string, 0, len(fields)+len(extra)),
	}
	for _, v := range []string{e.BusinessPhoneNumber, e.AgentName} {
		if v != "" {
			call.Keep = append(call.Keep, v)
		}
	}
	for i, t := range e.Transcript {
		call.Turns[i] = redact.Turn{Role: t.Role, Content: t.Content}
	}
	for _, f := range fields {
		call.Texts = append(call.Texts, *f)
	}
	for _, t := range extra {
		call.Texts = append(call.Texts, t.value)
	}

	call = r.engine.Redact(call)
	for i := range call.Turns {
		e.Transcript[i].Content = call.Turns[i].Content
	}
	for i, f := range fields {
		*f = call.Texts[i]
	}
	e.Extra = writeTexts(e.Extra, extra, call.Texts[len(fields):])
	r.field(redact.FieldPhone, redact.KindPhone, redact.Phone, &e.CustomerPhoneNumber)
	r.field(redact.FieldEmail, redact.KindEmail, redact.Email, &e.MentionedEmail)
	r.field(redact.FieldName, redact.KindName, redact.Person, &e.CallerName)
}

// textFields returns every field of free text but the content of the turns. Credentials are out of the URLs then.
//
// The agent's name and the business's number are no secret and stay; ids and times hold no text.
func textFields(e *transforms.Event) []*string {
	e.RecordingURL, e.DashboardURL = redact.CutURL(e.RecordingURL), redact.CutURL(e.DashboardURL)
	all := []*string{
		&e.CallDirection, &e.MentionedDate, &e.MentionedTime, &e.TranscriptText, &e.Summary, &e.LongSummary, &e.Purpose,
		&e.Topic, &e.Sentiment, &e.FollowUp, &e.FollowUpReason, &e.AISuccess, &e.EndedReason, &e.RecordingURL, &e.DashboardURL,
	}
	for _, list := range [][]string{e.KeyPoints, e.UnansweredQuestions, e.ActionItems, e.Topics} {
		for i := range list {
			all = append(all, &list[i])
		}
	}
	for i := range e.Transcript {
		if r := &e.Transcript[i].Role; *r != transforms.RoleAgent && *r != transforms.RoleUser {
			all = append(all, r) // some senders put the speaker's name there
		}
	}
	texts := all[:0]
	for _, f := range all {
		if *f != "" {
			texts = append(texts, f)
		}
	}
	return texts
}

// field does with a structured value what the policy says. A hash stays what it is.
func (r *redactor) field(name, kind string, t redact.Type, value *string) {
	if *value == "" || redact.IsHash(kind, *value) {
		return
	}
	switch r.policy.Field(name) {
	case redact.ModeKeep:
	case redact.ModeDrop:
		*value = ""
	case redact.ModeMask:
		*value = "[" + string(t) + "]"
	default:
		*value = redact.Hash(r.key, kind, *value)
	}
}
