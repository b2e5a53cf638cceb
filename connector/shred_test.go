package connector

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// inFiles says whether a file of a stream holds the text.
func inFiles(t *testing.T, dir, stream, text string) (found bool) {
	t.Helper()
	err := filepath.WalkDir(streamDir(dir, stream), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		found = found || bytes.Contains(b, []byte(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A server that dies between the tombstone and the overwriting leaves what a plain delete leaves. The next start takes it
// out, and loses nothing else: not a message, not the last sequence.
func TestAStartCleansWhatAKilledServerLeft(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"one block": 100, "several blocks": 3 << 20, "a block each": 7 << 20} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t.TempDir())
			st, err := openStreams(t.Context(), cfg, discard())
			if err != nil {
				t.Fatal(err)
			}
			content := func(i int) []byte { return append(fmt.Appendf(nil, "content-%03d-", i), make([]byte, size)...) }
			put := func(subj string, data []byte) {
				t.Helper()
				if _, err := st.js.PublishMsg(t.Context(), &nats.Msg{Subject: subj, Data: data, Header: nats.Header{"A": {"b"}}}); err != nil {
					t.Fatal(err)
				}
			}
			for i := 1; i <= 9; i++ {
				put(subject(subjectBatches, 0), content(i))
			}
			for _, seq := range []uint64{1, 4, 5, 8} {
				if err := st.batches.DeleteMsg(t.Context(), seq); err != nil {
					t.Fatal(err)
				}
			}
			if err := st.shred(t.Context(), st.batches, 2); err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{"held by one", "record of it"} {
				put(subjectDead+"load.1", []byte(text))
			}
			put(subjectDead+"load.2", []byte("held by another"))
			put(subjectDead+"load.3", []byte("deleted"))
			if err := st.dead.DeleteMsg(t.Context(), 4); err != nil {
				t.Fatal(err)
			}
			if err := st.noteShred(streamDead); err != nil {
				t.Fatal(err)
			}
			state := func() (out []jetstream.StreamState) {
				for _, s := range []jetstream.Stream{st.batches, st.dead} {
					info, err := s.Info(t.Context(), jetstream.WithDeletedDetails(true))
					if err != nil {
						t.Fatal(err)
					}
					info.State.Consumers = 0
					out = append(out, info.State)
				}
				return out
			}
			before := state()
			st.close()
			if size == 100 && !inFiles(t, cfg.DataDir, streamBatches, "content-004-") {
				t.Fatal("a deleted message leaves nothing in the files: this test shows nothing")
			}
			if st, err = openStreams(t.Context(), cfg, discard()); err != nil {
				t.Fatal(err)
			}
			defer st.close()
			for i := 1; i <= 9; i++ {
				gone := i <= 2 || i == 4 || i == 5 || i == 8
				if inFiles(t, cfg.DataDir, streamBatches, fmt.Sprintf("content-%03d-", i)) == gone {
					t.Errorf("message %d is in the files: %v", i, !gone)
				}
				m, err := st.batches.GetMsg(t.Context(), uint64(i))
				if (err == nil) == gone || (!gone && !bytes.Equal(m.Data, content(i))) {
					t.Errorf("message %d can be read: %v", i, err)
				}
			}
			if inFiles(t, cfg.DataDir, streamDead, "held by one") || !inFiles(t, cfg.DataDir, streamDead, "held by another") {
				t.Error("of the dead letters the wrong ones are left")
			}
			if diff := cmp.Diff(before, state()); diff != "" {
				t.Errorf("the streams are not what they were (-before +after):\n%s", diff)
			}
			if notes, err := os.ReadDir(filepath.Join(cfg.DataDir, shredDir)); err != nil || len(notes) > 0 {
				t.Errorf("notes left: %v (%v)", notes, err)
			}
		})
	}
}

// A sequence that is used again after damage is another message: the tombstone of the first is no tombstone of it.
func TestCleaningGoesByWhatComesBehind(t *testing.T) {
	record := func(seq uint64, subj string) []byte {
		r := make([]byte, recordHead+len(subj)+8)
		binary.LittleEndian.PutUint32(r, uint32(len(r)))
		binary.LittleEndian.PutUint64(r[4:], seq)
		binary.LittleEndian.PutUint16(r[20:], uint16(len(subj)))
		copy(r[recordHead:], subj)
		return r
	}
	join := func(rs ...[]byte) []byte { return bytes.Join(rs, nil) }
	one, again := record(5, "first"), record(5, "again")
	block := join(one, record(5|recordTomb, ""), again, record(6, "x"), record(7|recordErased, ""), []byte("torn"))
	c := cleaner{tombs: map[uint64]int{}}
	c.look(block)
	c.at = 0
	rest, removed := c.clean(block)
	if removed != 1 || !bytes.Equal(rest, block[len(one):]) {
		t.Errorf("%d records taken out, %q left", removed, rest)
	}
}
