package connector

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

const benchSources = `
sources:
- {name: phonely, auth: [{type: bearer, secrets: [token]}]}
- {name: signed, auth: [{type: hmac, header: X-Sig, secrets: [token]}]}
- {name: identity, mapping: ".", auth: [{type: bearer, secrets: [token]}]}
- {name: phonely-jq, mapping: phonely, auth: [{type: bearer, secrets: [token]}]}
- {name: retell, mapping: retell, auth: [{type: bearer, secrets: [token]}]}
`

// retellCall is the call of callOf as Retell sends it, with the times of words left out.
func retellCall(size int) string {
	var turns []string
	for n := 0; n < size; n += 200 {
		turns = append(turns, fmt.Sprintf(`{"role":%q,"content":%q}`, []string{"agent", "user"}[len(turns)%2],
			strings.Repeat("and then we looked at the booking again ", 4)))
	}
	return `,"agent_name":"Front desk","direction":"inbound","from_number":"+13125550142","to_number":"+13125550100","duration_ms":60000,` +
		`"start_timestamp":1779645842000,"transcript_object":[` + strings.Join(turns, ",") + `]}}`
}

// BenchmarkReceive takes 8 KiB events from 64 senders through the handler until they are on disk, each way a sender may
// choose beside the built-in one: signed, compressed, mapped by jq, many in one body.
func BenchmarkReceive(b *testing.B) {
	rest, retell := callOf(8<<10), retellCall(8<<10)
	phonely := func(i int64) []byte { return fmt.Appendf(nil, `{"callId":"c%d"%s`, i, rest) }
	for _, tt := range []struct {
		name, source, encoding string
		events                 int
		body                   func(int64) []byte
	}{
		{"built-in", "phonely", "", 1, phonely},
		{"hmac", "signed", "", 1, phonely},
		{"gzip", "phonely", "gzip", 1, phonely},
		{"jq-identity", "identity", "", 1, phonely},
		{"jq-phonely", "phonely-jq", "", 1, phonely},
		{"jq-retell", "retell", "", 1, func(i int64) []byte {
			return fmt.Appendf(nil, `{"event":"call_analyzed","call":{"call_id":"c%d"%s`, i, retell)
		}},
		{"hmac-gzip", "signed", "gzip", 1, phonely},
		{"array-of-20", "phonely", "", 20, func(i int64) []byte {
			parts := make([][]byte, 20)
			for n := range parts {
				parts[n] = phonely(i*20 + int64(n))
			}
			return append(append([]byte("["), bytes.Join(parts, []byte(","))...), ']')
		}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			cfg := testConfig(b.TempDir())
			cfg.Sources = sourcesFile(b, benchSources)
			cfg.Intake.MaxBytes, cfg.Intake.MaxInFlight, cfg.Batch.MaxBytes = 4<<30, 256<<20, 4<<30
			set, err := cfg.OpenSources()
			if err != nil {
				b.Fatal(err)
			}
			src := set.Named(tt.source)
			r := start(b, Connector{Config: cfg, Sinks: []Sink{{"a", &sinkhole{}, 1}}})
			b.ReportAllocs()
			b.ResetTimer()
			var next atomic.Int64
			var wg sync.WaitGroup
			for range 64 {
				wg.Go(func() {
					z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the sender's work is in the figures as well
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						body := tt.body(i)
						if tt.encoding != "" {
							var out bytes.Buffer
							z.Reset(&out)
							_, _ = z.Write(body)
							_ = z.Close()
							body = out.Bytes()
						}
						req := httptest.NewRequest(http.MethodPost, src.Route, bytes.NewReader(body))
						req.Header.Set("Content-Encoding", tt.encoding)
						if err := src.Sign(req, body, time.Now()); err != nil {
							b.Error(err)
						}
						rw := httptest.NewRecorder()
						if r.hook.ServeHTTP(rw, req); rw.Code != http.StatusOK {
							b.Errorf("answered %d %s", rw.Code, rw.Body)
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N*tt.events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkReading is the CPU of one event from its body to the checked event, without the disk: what a mapping costs
// beside the built-in way.
func BenchmarkReading(b *testing.B) {
	cfg := testConfig(b.TempDir())
	cfg.Sources = sourcesFile(b, benchSources)
	set, err := cfg.OpenSources()
	if err != nil {
		b.Fatal(err)
	}
	read := &reading{norm: NewNormalizer(nil, nil), set: set, limit: 4 << 20}
	small, err := os.ReadFile("source/testdata/retell.json")
	if err != nil {
		b.Fatal(err)
	}
	for _, tt := range []struct{ name, source, body string }{
		{"built-in", "phonely", `{"callId":"c"` + callOf(8<<10)},
		{"jq-identity", "identity", `{"callId":"c"` + callOf(8<<10)},
		{"jq-phonely", "phonely-jq", `{"callId":"c"` + callOf(8<<10)},
		{"jq-retell", "retell", `{"event":"call_analyzed","call":{"call_id":"c"` + retellCall(8<<10)},
		{"jq-retell-small", "retell", string(small)},
	} {
		b.Run(tt.name+"-"+strconv.Itoa(len(tt.body))+"B", func(b *testing.B) {
			src := set.Named(tt.source)
			b.SetBytes(int64(len(tt.body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := read.check(src, []byte(tt.body)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
