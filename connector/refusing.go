package connector

import (
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// trouble is why frames could not be written. /readyz says it, so that a balancer sends deliveries elsewhere.
type trouble struct {
	full   atomic.Bool  // the stream took no more, and has had no room since
	failed atomic.Int64 // Unix nanoseconds of the last write that failed otherwise; 0 after one that did not
}

// troubleFor is how long a failed write makes the intake count as refusing. Nobody delivers to what isn't ready, so no
// write that succeeds would end it.
const troubleFor = 10 * time.Second

// note takes the result of a write.
func (t *trouble) note(err error) {
	switch err {
	case nil:
		t.full.Store(false)
		t.failed.Store(0)
	case ErrFull: //nolint:errorlint // publish returns it as it is
		t.full.Store(true)
	default:
		t.failed.Store(time.Now().UnixNano())
	}
}

// refusing says why the next delivery would be answered 503; empty where it would not. What lasts a moment, such as too
// many bodies at once, does not count.
func (in *intake) refusing(now time.Time) string {
	failed := in.trouble.failed.Load()
	switch {
	case in.disk != nil && in.disk.full.Load():
		return "the volume of POSTCALL_DATA_DIR is nearly full"
	case in.trouble.full.Load():
		return "the intake is full"
	case failed > 0 && now.Sub(time.Unix(0, failed)) < troubleFor:
		return "the last deliveries could not be stored"
	}
	return ""
}

// look ends a full intake where the stream has room for a frame of the largest size again, or is empty.
func (in *intake) look(i *jetstream.StreamInfo) {
	if i.State.Msgs == 0 || i.Config.MaxBytes-int64(i.State.Bytes) > min(frameMaxBytes, i.Config.MaxBytes/10) {
		in.trouble.full.Store(false)
	}
}
