package python

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/transformtest"
)

var update = flag.Bool("update", false, "write src/postcall/golden.binpb.gz")

// TestGoldenEvents: authors in Python test with the events that plugins in Go are tested with.
func TestGoldenEvents(t *testing.T) {
	const path = "src/postcall/golden.binpb.gz"
	if *update {
		data, err := transforms.AppendEvents(nil, transformtest.Events())
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if _, err := z.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	packed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	got, err := transforms.DecodeEvents(data)
	if err != nil {
		t.Fatal(err)
	}
	want := transformtest.Events()
	sent, err := transforms.AppendEvents(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	if want, err = transforms.DecodeEvents(sent); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s is stale, run this test with -update:\n%s", path, diff)
	}
}
