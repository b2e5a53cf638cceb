package connector

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/postcall/postcall/connector/source"
	"github.com/postcall/postcall/transforms"
)

// Importer brings records that were never delivered into the intake, as frames like the webhook's (DELIVERY.md, rule 20):
//
//   - A record's version is the end of its call, so that a live delivery of the call, which comes after it, wins whenever
//     the import runs. Of two records of one call with the same end the later wins.
//   - It yields: above half of the intake's room it waits, and leaves the rest to the sender.
//   - The same records, cut into the same chunks, make the same frames under the same ids: one that was written and is
//     written again soon after is stored once. After that it is the same version of the same call, which replaces itself.
type Importer struct {
	o       *Operator
	src     *source.Source
	read    *reading
	id      string
	maxBody int64
	// Waiting, if not nil, is told why nothing is written for a while, and "" when it goes on.
	Waiting func(why string)

	looked time.Time
}

// ImportRecord is one record of an import.
type ImportRecord struct {
	N    int64 // its place in the import, from 1
	Body []byte
	Err  error // why it can't be read at all
}

// ImportChunk is what Prepare made of some records.
type ImportChunk struct {
	Records int // events to be stored
	Ignored int // the mapping makes no call of them
	Refused []ImportRefusal
	Bytes   int64

	frames []*nats.Msg
}

// ImportRefusal says why a record, or one event of it, is not imported.
type ImportRefusal struct {
	N   int64
	Err error
}

// importSpread is the most that a record's place adds to its version: what orders the records of one call must stay below
// the time that lies between a call's end and its delivery.
const importSpread = time.Second

// NewImporter reads records as bodies of that source. The id names the import: the same one for the same records.
func (o *Operator) NewImporter(src, id string) (*Importer, error) {
	read, err := o.reading()
	if err != nil {
		return nil, err
	}
	s, err := read.source(src)
	if err != nil {
		return nil, fmt.Errorf("there is no source %s: name one of POSTCALL_SOURCES, or phonely", src)
	}
	maxBody, err := bodyLimit(o.cfg, o.st.maxPayload)
	if err != nil {
		return nil, err
	}
	return &Importer{o: o, src: s, read: read, id: id, maxBody: maxBody}, nil
}

// ImportDir is where an import may keep how far it has come.
func (o *Operator) ImportDir() string { return filepath.Join(o.cfg.DataDir, "imports") }

// Serving says whether a connector works on the streams, as far as this process can know.
func (o *Operator) Serving() bool { return o.st.srv == nil }

// MaxBody is the largest record, in bytes.
func (im *Importer) MaxBody() int64 { return im.maxBody }

// Prepare checks records and makes frames of them. It may be called at once by several goroutines.
func (im *Importer) Prepare(records []ImportRecord) *ImportChunk {
	c := &ImportChunk{}
	if len(records) == 0 {
		return c
	}
	p := framer{chunk: c, id: im.id + "-" + strconv.FormatInt(records[0].N, 10), limit: min(frameMaxBytes, im.o.st.maxPayload/2), open: make([][]byte, im.o.st.partitions)}
	for i := range records {
		c.Bytes += int64(len(records[i].Body))
	}
	p.room = min((int(c.Bytes)+len(records)*deliveryOverhead)/len(p.open)*5/4, p.limit)
	received := time.Now().UTC().Truncate(time.Millisecond) // as precise as a call's start, which it may stand for
	for i := range records {
		r := &records[i]
		if err := r.Err; err != nil {
			c.Refused = append(c.Refused, ImportRefusal{r.N, err})
			continue
		}
		parts, _, err := im.src.Events(r.Body, false)
		if err != nil {
			c.Refused = append(c.Refused, ImportRefusal{r.N, bodyError(err)})
			continue
		}
		for _, part := range parts {
			im.prepare(r.N, part, received, &p)
		}
	}
	for i := range p.open {
		p.close(i)
	}
	return c
}

func (im *Importer) prepare(n int64, part source.Part, received time.Time, p *framer) {
	err := part.Err
	if err == nil && int64(len(part.Body)) > im.maxBody {
		err = refused("", fmt.Sprintf("a record of over %d bytes", im.maxBody), "raise POSTCALL_INTAKE_MAX_BODY, or leave it out")
	}
	var e transforms.Event
	if err == nil {
		e, err = im.read.normalize(part.Body, im.src.Tenant, im.src.Name, received)
	} else {
		err = bodyError(err)
	}
	switch {
	case errors.Is(err, source.ErrNoCall):
		p.chunk.Ignored++
	case err != nil:
		p.chunk.Refused = append(p.chunk.Refused, ImportRefusal{n, err})
	default:
		d := delivery{Tenant: im.src.Tenant, Source: im.src.Name, Received: received, Version: importVersion(&e, received, n), Body: part.Body}
		p.add(&d, partition(d.Tenant, e.CallID, len(p.open)))
	}
}

// importVersion is the end of the call, in microseconds, else its start, and at most now: a clock that is ahead must not
// win over what is delivered later. A record that knows neither has the lowest version of all.
func importVersion(e *transforms.Event, now time.Time, n int64) int64 {
	at := e.CallEnded
	if at.IsZero() && !e.CallStarted.Equal(now) { // without a start of its own it has the time it was received
		at = e.CallStarted
	}
	if at.After(now) {
		at = now
	}
	place := min(max(n, 1), importSpread.Microseconds())
	if at.IsZero() || at.UnixMicro() < 0 {
		return place
	}
	return at.UnixMicro() + place
}

// framer fills a frame for each partition.
type framer struct {
	chunk *ImportChunk
	id    string
	limit int
	room  int // bytes that a frame is begun with: growing it would copy it a few times
	open  [][]byte
	n     int
}

// deliveryOverhead is about what a frame takes for an event besides its body.
const deliveryOverhead = 128

func (p *framer) add(d *delivery, partition int) {
	f := p.open[partition]
	if f != nil && (len(f)+d.size() > p.limit || frameEvents(f) == frameMaxEvents) {
		p.close(partition)
		f = nil
	}
	if f == nil {
		f = newFrame(make([]byte, 0, p.room))
	}
	p.open[partition] = appendDelivery(f, d)
	p.chunk.Records++
}

func (p *framer) close(partition int) {
	f := p.open[partition]
	if f == nil {
		return
	}
	p.open[partition] = nil
	p.n++
	p.chunk.frames = append(p.chunk.frames, &nats.Msg{
		Subject: subject(subjectIntake, partition), Data: sealFrame(f, nil),
		Header: nats.Header{headerEvents: {strconv.Itoa(frameEvents(f))}, jetstream.MsgIDHeader: {fmt.Sprintf("import-%s-%d", p.id, p.n)}},
	})
}

// Write makes a chunk durable. Call it with one chunk after the other: their order is that of the stream. It waits for as
// long as the intake has no room for an import, and fails where nobody is there to empty it.
func (im *Importer) Write(ctx context.Context, c *ImportChunk) error {
	for _, msg := range c.frames {
		if err := im.room(ctx); err != nil {
			return err
		}
		for attempt := 1; ; attempt++ {
			err := im.publish(ctx, msg)
			if err == nil {
				break
			}
			if apiCode(err) != codeStoreFull && attempt > 3 {
				return fmt.Errorf("write %s records into the intake: %w", msg.Header.Get(headerEvents), err)
			}
			im.tell("the intake is full")
			if err := sleep(ctx, backoff(attempt, 100*time.Millisecond, maxRetryDelay)); err != nil {
				return err
			}
		}
		im.tell("")
	}
	return nil
}

func (im *Importer) publish(ctx context.Context, msg *nats.Msg) error {
	// Not cancelled with ctx: a frame whose publish was cut short may be stored all the same.
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), publishTimeout, errors.New("the frame was not durable in time"))
	defer cancel()
	_, err := im.o.st.js.PublishMsg(ctx, msg, jetstream.WithRetryAttempts(0))
	return err
}

func (im *Importer) tell(why string) {
	if im.Waiting != nil {
		im.Waiting(why)
	}
}

// importShare is the use of the intake above which an import waits.
const importShare = 0.5

// room waits until the intake is less than half full and the disk has room. It looks a few times a second.
func (im *Importer) room(ctx context.Context) error {
	if time.Since(im.looked) < 200*time.Millisecond {
		return ctx.Err()
	}
	for {
		info, err := im.o.st.intake.Info(ctx)
		if err != nil {
			return fmt.Errorf("look up stream %s: %w", streamIntake, err)
		}
		im.looked = time.Now()
		why := ""
		if streamStatus(info).Use > importShare {
			why = "the intake is half full"
		} else if im.o.diskFull() {
			why = "the volume of POSTCALL_DATA_DIR is nearly full"
		}
		switch {
		case why == "":
			return ctx.Err()
		case im.o.st.srv != nil: // this process runs the streams, and no connector does
			return fmt.Errorf("%s, and no connector runs to empty it: start postcall serve, and run this again; it goes on where it is", why)
		}
		im.tell(why)
		if err := sleep(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
}

// diskFull says whether the volume of the embedded streams has less than what is kept free for them.
func (o *Operator) diskFull() bool {
	if o.cfg.NATS.URL != "" {
		return false
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(filepath.Clean(o.cfg.DataDir), &st); err != nil {
		return false // the connector watches it too
	}
	return st.Bavail*uint64(st.Bsize) < reserve(st.Blocks*uint64(st.Bsize))
}
