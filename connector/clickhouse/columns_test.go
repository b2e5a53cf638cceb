package clickhouse

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/transforms"
)

// ddl returns the types of calls_raw by column, as the migrations have them.
func ddl(t testing.TB) map[string]string {
	t.Helper()
	text, err := files.ReadFile("migrations/0001_calls.sql")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^    (\w+) +(\S.*?)(?: DEFAULT \S+)? +COMMENT '`).FindAllStringSubmatch(string(text), -1) {
		types[m[1]] = m[2]
	}
	later, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range later[2:] {
		for _, m := range regexp.MustCompile(`"calls_raw"}}{{.OnCluster}} ADD COLUMN IF NOT EXISTS (\w+) (\S+) DEFAULT`).FindAllStringSubmatch(src.text, -1) {
			types[m[1]] = m[2]
		}
	}
	return types
}

// blockColumn is a column of a block that no server has asked for.
type blockColumn struct{ chcolumn.Interface }

func (c blockColumn) Append(v any) error    { _, err := c.Interface.Append(v); return err }
func (c blockColumn) AppendRow(v any) error { return c.Interface.AppendRow(v) }

var _ driver.BatchColumn = blockColumn{}

// convert appends a scratch's events to a new block, as an insert does.
func convert(t testing.TB, types map[string]string, s *scratch) *proto.Block {
	t.Helper()
	b := proto.NewBlock()
	for _, c := range columns {
		if err := b.AddColumn(c.name, chcolumn.Type(types[c.name])); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
	}
	for i, c := range columns {
		if err := c.append(blockColumn{b.Columns[i]}, s); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
	}
	return b
}

func encode(t testing.TB, types map[string]string, events ...transforms.Event) []byte {
	t.Helper()
	s := scratches.Get().(*scratch)
	defer s.free()
	if failed := s.take(events); len(failed) > 0 {
		t.Fatal(failed)
	}
	var buf chproto.Buffer
	if err := convert(t, types, s).Encode(&buf, proto.DBMS_TCP_PROTOCOL_VERSION); err != nil {
		t.Fatal(err)
	}
	return buf.Buf
}

func TestColumnsAreTheTables(t *testing.T) {
	types := ddl(t)
	filled := map[string]bool{"is_deleted": true, "loaded_at": true, "day": true} // by the server
	for _, c := range columns {
		if types[c.name] == "" || filled[c.name] {
			t.Errorf("column %s is not in the table, or filled twice", c.name)
		}
		filled[c.name] = true
	}
	for name := range types {
		if !filled[name] {
			t.Errorf("column %s is never filled", name)
		}
	}
}

// A field of the event that is added later has to be stored, or named here.
func TestEveryFieldOfTheEventIsStored(t *testing.T) {
	elsewhere := map[string]string{
		"TranscriptText":       "Elasticsearch's",
		"Transcript[].Content": "Elasticsearch's",
		"Outcome":              "the sealer's",
	}
	types := ddl(t)
	base := encode(t, types, full())
	var walk func(path string, v func(*transforms.Event) reflect.Value)
	walk = func(path string, at func(*transforms.Event) reflect.Value) {
		e := full()
		v := at(&e)
		if _, ok := elsewhere[path]; ok {
			return
		}
		switch {
		case v.Type() == reflect.TypeFor[time.Time]() || v.Kind() == reflect.Pointer || v.Type() == reflect.TypeFor[json.RawMessage]():
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				walk(strings.TrimPrefix(path+"."+v.Type().Field(i).Name, "."), func(e *transforms.Event) reflect.Value { return at(e).Field(i) })
			}
			return
		case v.Kind() == reflect.Slice:
			walk(path+"[]", func(e *transforms.Event) reflect.Value { return at(e).Index(0) })
			return
		}
		changed := full()
		set(at(&changed))
		if bytes.Equal(base, encode(t, types, changed)) {
			t.Errorf("a change of %s changes no column", path)
		}
	}
	walk("", func(e *transforms.Event) reflect.Value { return reflect.ValueOf(e).Elem() })
}

// set gives a field another value.
func set(v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(start.AddDate(1, 0, 0)))
		return
	case json.RawMessage:
		v.SetBytes([]byte(`{"other":1}`))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.SetZero()
	case reflect.String:
		v.SetString("another value")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Float64:
		v.SetFloat(0.5)
	default:
		v.SetInt(5)
	}
}

func TestCheckNamesTheFieldAndNeverTheValue(t *testing.T) {
	for want, change := range map[string]func(*transforms.Event){
		"":                                  func(*transforms.Event) {},
		"callId is empty":                   func(e *transforms.Event) { e.CallID = "" },
		"version is negative":               func(e *transforms.Event) { e.Version = -1 },
		"callStarted is missing":            func(e *transforms.Event) { e.CallStarted = time.Time{} },
		"callStarted is not between":        func(e *transforms.Event) { e.CallStarted = firstTime.Add(-1) },
		"callEnded is not between":          func(e *transforms.Event) { e.CallEnded = endOfTime },
		"receivedAt is not between":         func(e *transforms.Event) { e.ReceivedAt = endOfTime },
		"duration is not a finite":          func(e *transforms.Event) { e.Duration = new(math.Inf(1)) },
		"talkRatio is not a finite":         func(e *transforms.Event) { e.Metrics.TalkRatio = new(math.NaN()) },
		"metrics.turns is not":              func(e *transforms.Event) { e.Metrics.Turns = -1 },
		"metrics.hour is not between 0":     func(e *transforms.Event) { e.Metrics.Hour = 24 },
		"metrics.weekday is not between":    func(e *transforms.Event) { e.Metrics.Weekday = 8 },
		"transcript[1] has a negative":      func(e *transforms.Event) { e.Transcript[1].Words = -3 },
		"receivedAt is not between the yea": func(e *transforms.Event) { e.ReceivedAt = time.Time{}; e.Version = math.MaxInt64 },
	} {
		e := full()
		change(&e)
		err := check(&e)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// What check lets through, every column takes, and gives back as it was.
func FuzzConvert(f *testing.F) {
	f.Add("acme", "call-1", int64(1), int64(1762162300), int64(250e6), 83.5, int32(3), int32(23), int32(7), "agent", int32(9), []byte(`{"a":1}`), true)
	f.Add("", "x\x00\xff", int64(0), int64(-1), int64(0), math.NaN(), int32(-1), int32(24), int32(0), "", int32(300), []byte(nil), false)
	f.Add("t", "c", int64(math.MaxInt64), int64(math.MaxInt64), int64(-1), math.MaxFloat64, int32(math.MaxInt32), int32(0), int32(0), "r", int32(-1), []byte("{"), true)
	f.Add("t", "c", int64(math.MinInt64), firstTime.Unix(), int64(0), math.Copysign(0, -1), int32(0), int32(0), int32(0), "r", int32(0), []byte("{}"), true)
	f.Add("t", "c", int64(5), endOfTime.Unix(), int64(-1), math.SmallestNonzeroFloat64, int32(0), int32(0), int32(0), "r", int32(0), []byte("{}"), true)
	types := ddl(f)
	f.Fuzz(func(t *testing.T, tenant, id string, version, sec, nsec int64, number float64, count, hour, weekday int32, value string, words int32, extra []byte, yes bool) {
		e := transforms.Event{
			Tenant: tenant, CallID: id, Version: version, CallStarted: time.Unix(sec, nsec), CallEnded: time.Unix(sec, nsec),
			Duration: &number, FollowUpBool: &yes, EndedReason: value, KeyPoints: []string{value, id}, Topics: []string{value, tenant, value},
			Transcript: []transforms.Turn{{Role: value, Words: words}, {Role: tenant}}, Extra: extra, Summary: value,
			Metrics: transforms.Metrics{Turns: count, Hour: hour, Weekday: weekday},
		}
		events := []transforms.Event{call("before", 1), e, call("after", 2)}
		s := scratches.Get().(*scratch)
		defer s.free()
		if s.take(events)[1] != nil {
			return
		}
		b := convert(t, types, s)
		got := map[string]any{}
		for i, c := range columns {
			if n := b.Columns[i].Rows(); n != len(events) {
				t.Fatalf("column %s has %d rows", c.name, n)
			}
			got[c.name] = row(b.Columns[i], 1)
		}
		for name, want := range map[string]any{
			"tenant": tenant, "call_id": id, "version": uint64(version), "call_started": e.CallStarted.Truncate(time.Millisecond),
			"duration": &number, "follow_up": &yes, "key_points": []string{value, id}, "topics": []string{value, tenant, value},
			"turn_roles": []string{value, tenant}, "turn_words": []uint32{uint32(words), 0}, "extra": string(extra), "summary": value,
			"turns": uint32(count), "hour": uint8(hour), "weekday": uint8(weekday),
		} {
			if at, ok := want.(time.Time); ok {
				if d := got[name].(time.Time).Sub(at); d < 0 || d > time.Millisecond { // before 1970 a part of a millisecond is rounded up
					t.Errorf("%s is off by %s", name, d)
				}
			} else if d := cmp.Diff(want, got[name]); d != "" {
				t.Errorf("%s (-want +got):\n%s", name, d)
			}
		}
	})
}

// row reads a value back. A LowCardinality column is read only after decoding, so its keys are followed by hand.
func row(c chcolumn.Interface, i int) any {
	var buf chproto.Buffer
	if p, ok := c.(chcolumn.CustomSerialization); ok {
		_ = p.WriteStatePrefix(&buf)
	}
	c.Encode(&buf)
	decoded, err := c.Type().Column("x", &chcolumn.ServerContext{})
	if err != nil {
		return err
	}
	r := chproto.NewReader(bytes.NewReader(buf.Buf))
	if p, ok := decoded.(chcolumn.CustomSerialization); ok {
		if err := p.ReadStatePrefix(r); err != nil {
			return err
		}
	}
	if err := decoded.Decode(r, c.Rows()); err != nil {
		return err
	}
	return decoded.Row(i, false)
}
