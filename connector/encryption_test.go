package connector

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestStreamsAreEncryptedAndTheKeyIsRotated(t *testing.T) {
	t.Parallel()
	const first, second, other = "first-key-0123456789abcdef-0123456789", "second-key-0123456789abcdef-012345678", "other-key-0123456789abcdef-0123456789"
	s := newStore()
	s.load = func(Batch) error { return errors.New("down") }
	cfg := testConfig(t.TempDir())
	cfg.Batch.MaxAge = time.Hour // what is delivered stays in the intake, too
	refuses := func(keys Secret, says string) {
		t.Helper()
		cfg.EncryptionKey = keys
		st, err := openStreams(t.Context(), cfg, discard())
		if err == nil {
			st.close()
		}
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "-0123456789") {
			t.Fatalf("with %d keys it says %v", strings.Count(string(keys), ",")+1, err)
		}
	}
	deliver := func(keys Secret, id string) {
		t.Helper()
		cfg.EncryptionKey = keys
		r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
		r.deliver(id)
		r.cancel() // seals what there is
		<-r.done
		r.done <- nil
	}
	cfg.ShutdownTimeout = time.Second
	plain := cfg.DataDir
	deliver("", "zeppelin-plain")
	if !inFiles(t, plain, "", "zeppelin-plain") {
		t.Fatal("without a key the files hold nothing readable: this test can't tell")
	}
	refuses(first, "not encrypted")
	cfg.DataDir = t.TempDir()
	deliver(first, "zeppelin-first")
	refuses("", "POSTCALL_ENCRYPTION_KEY is not set")
	refuses(other, "another key")
	refuses(second, "behind the new one")
	deliver(second+","+first, "zeppelin-second")
	deliver(second+","+first, "zeppelin-third")
	deliver(second, "zeppelin-fourth") // the first is not needed any more
	refuses(first, "another key")
	if inFiles(t, cfg.DataDir, "", "zeppelin") {
		t.Error("the files hold a call id in clear")
	}
	s.load = nil
	cfg.EncryptionKey, cfg.Batch.MaxAge = second, 10*time.Millisecond
	r := start(t, Connector{Config: cfg, Sinks: []Sink{{"a", s, 1}}})
	r.eventually("every call is loaded, through each change of the key", func() bool { return s.calls() == 4 })
	if got := r.metric(`postcall_alarms_total{kind="gap"}`); got != "" {
		t.Errorf("gap alarm counts %s", got)
	}
	if twice := s.twice(); len(twice) > 0 {
		t.Errorf("loaded twice: %v", twice)
	}
}
