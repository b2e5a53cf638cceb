package elastic

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/transforms"
)

// encoded is the document of an event, decoded by encoding/json.
func encoded(t testing.TB, e transforms.Event) map[string]any {
	t.Helper()
	var d doc
	d.event(&e)
	var got map[string]any
	if err := json.Unmarshal(d.b, &got); err != nil {
		t.Fatalf("%v in %s", err, d.b)
	}
	return got
}

func TestDocumentHoldsEveryField(t *testing.T) {
	e := full("c1", 7)
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "TranscriptText" && name != "Outcome" {
			t.Errorf("full() leaves Event.%s empty: set it there and in wantFull", name)
		}
	}
	got := encoded(t, e)
	if diff := cmp.Diff(wantFull("c1", 7), got); diff != "" {
		t.Error(diff)
	}
	for name := range got {
		if fieldTypes()[name] == "" {
			t.Errorf("template.json has no field %s", name)
		}
	}
	for name := range parsed().Mappings["properties"].(map[string]any) {
		if _, written := got[name]; !written && name != "labels" && name != "personal_erased_at" {
			t.Errorf("field %s of template.json is never written", name)
		}
	}
}

func TestDocumentLeavesOutWhatIsNotKnown(t *testing.T) {
	got := encoded(t, transforms.Event{CallID: "c1", Duration: new(math.NaN()), Metrics: transforms.Metrics{Hour: 24, TalkRatio: new(math.Inf(1))}})
	want := map[string]any{
		"call_id": "c1", "version": 0.0, "turn_count": 0.0, "agent_turns": 0.0, "user_turns": 0.0, "agent_words": 0.0,
		"user_words": 0.0, "unanswered_count": 0.0, "action_item_count": 0.0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSendersOwnTextIsTheFullText(t *testing.T) {
	e := full("c1", 7)
	e.TranscriptText = "as the sender wrote it"
	got := encoded(t, e)
	if got["transcript_text"] != e.TranscriptText || len(got["turns"].([]any)) != 4 {
		t.Errorf("got %v and %v", got["transcript_text"], got["turns"])
	}
}

func FuzzDocument(f *testing.F) {
	f.Add("t", "c", "agent", "hello\n\"you\"\\", "user", "caf\u00e9 \u2028 \x00\x1f\x7f", "text", []byte(`{"a":1}`), 1.5, int64(1e15))
	f.Add("a:b", "c\xff", "bot", "\xed\xa0\x80 \U0001F600 \xf0\x9f", "", "", "", []byte(nil), math.NaN(), int64(0))
	f.Add("", "", "user", "a", "user", "b", "", []byte("\xc3"), 1e300, int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, tenant, call, role1, turn1, role2, turn2, text string, extra []byte, number float64, version int64) {
		e := transforms.Event{
			Tenant: tenant, CallID: call, Transcript: []transforms.Turn{{Role: role1, Content: turn1}, {Role: role2, Content: turn2}},
			TranscriptText: text, Summary: text, KeyPoints: []string{turn1, turn2}, Extra: extra, Duration: &number, Version: version,
			CallStarted: time.Unix(version/1e6, 0), Transforms: []transforms.Applied{{Name: role1, Version: role2}},
		}
		got := encoded(t, e)
		want := map[string]any{"tenant": tenant, "call_id": call, "summary": text, "extra": string(extra), "transcript_text": text}
		if text == "" {
			want["transcript_text"] = transforms.RenderTranscript(e.Transcript)
		}
		for name, w := range want {
			if g, _ := got[name].(string); g != valid(w.(string)) {
				t.Errorf("%s: got %q, want %q", name, g, w)
			}
		}
		turns := got["turns"].([]any)
		points := got["key_points"].([]any)
		for i, turn := range e.Transcript {
			g := turns[i].(map[string]any)
			if g["role"] != valid(turn.Role) || g["content"] != valid(turn.Content) || points[i] != valid(turn.Content) {
				t.Errorf("turn %d: got %v and %v, want %q", i, g, points[i], turn)
			}
		}
		if g, known := got["duration"].(float64); known && g != number {
			t.Errorf("duration: got %v, want %v", g, number)
		}
	})
}

// valid is what encoding/json makes of bytes that are not UTF-8.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
	}
	return b.String()
}

func TestIDsDoNotCollide(t *testing.T) {
	long, hash := strings.Repeat("x", 600), docID("a", strings.Repeat("y", 600))
	calls := [][2]string{
		{"a", "b"},
		{"a:b", "c"},
		{"a", "b:c"},
		{"a%3Ab", "c"},
		{"a%", "3Ab:c"},
		{"", "a:b"},
		{"", "b"},
		{":", ""},
		{"", ":"},
		{"", ""},
		{"a", long},
		{"a", long + "x"},
		{"ax", long},
		{long, "a"},
		{"a", "\xff"},
		{"a", "\xfe"},
		{"a", "\ufffd"},
		{"a", "é"},
		{"", hash},
		{"%sha256", strings.TrimPrefix(hash, "%sha256:")},
		{"a", strings.Repeat("y", 600)},
		{"a", strings.Repeat("é", 255)},
		{"a", strings.Repeat("é", 256)},
	}
	seen := map[string][2]string{}
	for _, c := range calls {
		id := docID(c[0], c[1])
		if other, twice := seen[id]; twice {
			t.Errorf("%.20q and %.20q share %q", c, other, id)
		}
		if seen[id] = c; len(id) > maxID || id == "" || !utf8.ValidString(id) {
			t.Errorf("%.20q: bad id %q", c, id)
		}
	}
	if got := docID("default", "c1"); got != "default:c1" {
		t.Errorf("got %q", got)
	}
}

func FuzzIDs(f *testing.F) {
	f.Add("a:b", "c", "a", "b:c")
	f.Add("a%3A", "c", "a:", "c")
	f.Add("\xff", "c", "\xfe", "c")
	f.Fuzz(func(t *testing.T, t1, c1, t2, c2 string) {
		a, b := docID(t1, c1), docID(t2, c2)
		if same := t1 == t2 && c1 == c2; (a == b) != same {
			t.Errorf("(%q, %q) and (%q, %q) have %q and %q", t1, c1, t2, c2, a, b)
		}
		if len(a) > maxID || !utf8.ValidString(a) {
			t.Errorf("bad id %q", a)
		}
	})
}
