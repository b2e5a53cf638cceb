package transforms

import "context"

// Transformer changes events. It is the one interface a plugin author implements.
//
// Transform is handed a batch it owns and returns, in order, one entry per input, each with its CallID unchanged. It may
// change an event, drop it (Event.Drop), reject it (Event.Reject), or split it (Event.Split): children follow their parent
// at once, with ParentCallID set to the parent's CallID and CallID "<parent>#1", "#2" and so on.
//
// It makes one attempt. An error means that nothing of the batch is decided: the host calls again with the same batch,
// so the work must be safe to repeat.
type Transformer interface {
	Transform(ctx context.Context, batch []Event) ([]Event, error)
}
