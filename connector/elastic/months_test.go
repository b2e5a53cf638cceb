package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

// byMonth returns an open loader of monthly indices on a schema that is set up.
func byMonth(tb testing.TB) *Loader {
	tb.Helper()
	cfg := engine(tb)
	cfg.IndexBy = "month"
	if _, err := Apply(tb.Context(), cfg); err != nil {
		tb.Fatal(err)
	}
	return open(tb, cfg)
}

// started is a call that starts on the first of a month ("2026-03"), delivered in December 2026.
func started(callID, month string, version int64) transforms.Event {
	at, err := time.Parse("2006-01", month)
	if err != nil {
		panic(err)
	}
	e := full(callID, version)
	e.CallStarted, e.ReceivedAt = at, time.Date(2026, 12, 5, 12, 0, 0, 0, time.UTC)
	e.Summary = fmt.Sprint("version ", version)
	return e
}

// where returns what the alias finds of all calls: "index-suffix tenant:callId summary", sorted.
func where(t *testing.T, l *Loader) (docs []string) {
	t.Helper()
	for _, h := range search(t, l, `{"size":1000}`).Hits {
		docs = append(docs, fmt.Sprintf("%s %s %v", strings.TrimPrefix(h.Index, l.c.alias+"-"), h.ID, h.Source["summary"]))
	}
	slices.Sort(docs)
	return docs
}

func wantWhere(t *testing.T, l *Loader, what string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, where(t, l)); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", what, diff)
	}
}

func months(t *testing.T, l *Loader) []string {
	t.Helper()
	found, err := l.c.look(t.Context(), l.c.alias+"-*")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range found {
		names = append(names, strings.TrimPrefix(name, l.c.alias+"-"))
	}
	slices.Sort(names)
	return names
}

func thisMonth() string { return time.Now().UTC().Format("2006-01") }

func TestMonthsAreMadeOnDemand(t *testing.T) {
	l := byMonth(t)
	late := started("c3", "2026-01", 3)
	late.CallStarted = time.Date(2026, 1, 31, 23, 30, 0, 0, time.FixedZone("", -2*3600)) // February in UTC
	load(t, l, started("c1", "2026-01", 1), started("c2", "2025-11", 2), late)
	wantWhere(t, l, "three months", "2025-11 default:c2 version 2", "2026-01 default:c1 version 1", "2026-02 default:c3 version 3")
	want := []string{"2025-11", "2026-01", "2026-02", thisMonth()}
	slices.Sort(want)
	if got := months(t, l); !slices.Equal(got, want) {
		t.Errorf("indices %v, want %v", got, want)
	}
	if got := search(t, l, byCall, "c2").Hits[0].Source; got["call_started"] != "2025-11-01T00:00:00Z" || got["turns"] == nil {
		t.Errorf("document %v", got)
	}
	var made map[string]struct {
		Settings struct{ Index struct{ Codec string } }
		Mappings struct {
			Dynamic string
			Meta    meta `json:"_meta"`
		}
	}
	if err := l.c.do(t.Context(), http.MethodGet, "/"+l.c.alias+"-2025-11", nil, &made); err != nil {
		t.Fatal(err)
	}
	if ix := made[l.c.alias+"-2025-11"]; ix.Settings.Index.Codec != "best_compression" || ix.Mappings.Dynamic != "strict" || ix.Mappings.Meta != wantMeta() {
		t.Errorf("index is %+v", ix)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// DELIVERY.md, rule 10.
func TestCorrectionThatMovesTheMonthLeavesOneDocument(t *testing.T) {
	l := byMonth(t)
	load(t, l, started("c1", "2026-01", 10))
	load(t, l, started("c1", "2026-03", 20))
	wantWhere(t, l, "corrected", "2026-01 default:c1 version 20")
	load(t, l, started("c1", "2026-03", 20))
	wantWhere(t, l, "corrected again", "2026-01 default:c1 version 20")
	for _, month := range []string{"2026-01", "2026-03", "2026-05"} {
		load(t, l, started("c1", month, 15))
		wantWhere(t, l, "stale, "+month, "2026-01 default:c1 version 20")
	}
	load(t, l, started("c2", "2026-03", 5), started("c1", "2026-03", 30))
	wantWhere(t, l, "beside a new call", "2026-01 default:c1 version 30", "2026-03 default:c2 version 5")
	if got := months(t, l); slices.Contains(got, "2026-05") {
		t.Errorf("a stale delivery made a month: %v", got)
	}
}

// A sender that gives no start: the redelivery has another one.
func TestRedeliveryInAnotherMonthWithoutAStart(t *testing.T) {
	l := byMonth(t)
	first, second := started("c1", "2026-10", 10), started("c1", "2026-11", 20)
	first.ReceivedAt, second.ReceivedAt = first.CallStarted, second.CallStarted
	first.CallStarted, second.CallStarted = time.Time{}, time.Time{}
	load(t, l, first)
	load(t, l, second)
	wantWhere(t, l, "delivered twice", "2026-10 default:c1 version 20")
}

func TestTenantsDoNotMeetAcrossMonths(t *testing.T) {
	l := byMonth(t)
	a, b := started("c1", "2026-01", 1), started("c1", "2026-02", 2)
	a.Tenant, b.Tenant = "a", "b"
	load(t, l, a, b)
	a, b = started("c1", "2026-04", 11), started("c1", "2026-04", 12)
	a.Tenant, b.Tenant = "a", "b"
	load(t, l, a)
	load(t, l, b)
	wantWhere(t, l, "one id in two tenants", "2026-01 a:c1 version 11", "2026-02 b:c1 version 12")
}

// A crash between the creation of an index and the bulk, and one behind the bulk: the batch comes again.
func TestInterruptedBatchComesAgain(t *testing.T) {
	l := byMonth(t)
	batchOf := func(version int64) []transforms.Event {
		return []transforms.Event{started("c1", "2026-01", version), started("c2", "2026-02", version), started("c3", "2026-01", version)}
	}
	want := []string{"2026-01 default:c1 version 1", "2026-01 default:c3 version 1", "2026-02 default:c2 version 1"}
	broken, fail := between(t, l)
	fail.Store(true)
	if err := broken.Load(t.Context(), batch(batchOf(1)...)); err == nil || kind(err) != "" {
		t.Fatalf("got %v, want a plain error", err)
	}
	if got := months(t, l); !slices.Contains(got, "2026-01") || !slices.Contains(got, "2026-02") {
		t.Fatalf("the crash came too soon: %v", got)
	}
	wantWhere(t, l, "interrupted")
	fail.Store(false)
	load(t, broken, batchOf(1)...)
	wantWhere(t, l, "the batch again", want...)
	load(t, open(t, config(l)), batchOf(1)...) // another process
	wantWhere(t, l, "and again", want...)
}

// Another pod, or postcall replay, makes a month that this process has not heard of.
func TestAnotherProcessMakesAMonth(t *testing.T) {
	l := byMonth(t)
	other := open(t, config(l))
	load(t, l, started("c1", "2026-01", 1))
	load(t, other, started("c2", "2026-02", 2))
	load(t, l, started("c2", "2026-03", 3), started("c3", "2026-02", 3))
	wantWhere(t, l, "made by another", "2026-01 default:c1 version 1", "2026-02 default:c2 version 3", "2026-02 default:c3 version 3")
}

// Calls from before there were months stay where they are.
func TestSwitchFromOneIndexToMonths(t *testing.T) {
	old := migrated(t)
	load(t, old, started("c1", "2026-01", 1))
	cfg := config(old)
	cfg.IndexBy = "month"
	steps, err := Apply(t.Context(), cfg)
	if err != nil || !strings.Contains(fmt.Sprint(steps), "by none, wanted by month update") {
		t.Fatalf("%v, %v", steps, err)
	}
	l := open(t, cfg)
	if err := l.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	load(t, l, started("c1", "2026-03", 2), started("c2", "2026-03", 2))
	wantWhere(t, l, "after the switch", "2026-03 default:c2 version 2", "v1 default:c1 version 2")

	// Back again, every new version of c2 would be a second document.
	back := config(old)
	if err := open(t, back).Check(t.Context()); !errors.Is(err, connector.ErrPaused) || !strings.Contains(err.Error(), "POSTCALL_ELASTICSEARCH_INDEX_BY=month") {
		t.Errorf("check of one index beside months: %v", err)
	}
	if _, err := Plan(t.Context(), back); err == nil || !strings.Contains(err.Error(), "POSTCALL_ELASTICSEARCH_INDEX_BY=month") {
		t.Errorf("plan of one index beside months: %v", err)
	}
}

func TestSetupByMonth(t *testing.T) {
	cfg := engine(t)
	cfg.IndexBy = "month"
	a, now := cfg.Index, cfg.Index+"-"+thisMonth()
	missing := []Step{
		{"component template " + a + "@template", "missing", "create"},
		{"index template " + a, "missing", "create"},
		{"index " + now, "missing", "create"},
		{"alias " + a, "missing", "create with the index"},
	}
	current := []Step{
		{"component template " + a + "@template", "current", ""},
		{"index template " + a, "current", ""},
		{"index " + a + "-2025-01", "current", ""},
		{"index " + now, "current", ""},
		{"alias " + a, "current", ""},
	}
	f := func(name string, do func(context.Context, connector.ElasticsearchConfig) ([]Step, error), want []Step) {
		t.Helper()
		got, err := do(t.Context(), cfg)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	f("plan", Plan, missing)
	f("apply", Apply, missing)
	l := open(t, cfg)
	load(t, l, started("c1", "2025-01", 1))
	f("apply again", Apply, current)
	f("status", Status, current)

	// What an operator, or an older release, can leave behind.
	for _, q := range []struct{ method, path, body string }{
		{http.MethodDelete, "/" + a + "-2025-01/_alias/" + a, ""},
		{http.MethodPut, "/" + a + "-2025-01/_mapping", `{"_meta":{"template_version":0}}`},
		{http.MethodDelete, "/" + now, ""},
		{http.MethodDelete, "/_index_template/" + a, ""},
	} {
		if err := l.c.do(t.Context(), q.method, q.path, bodyOf(q.body), nil); err != nil {
			t.Fatal(explain(err))
		}
	}
	if err := l.Check(t.Context()); !errors.Is(err, connector.ErrPaused) || !strings.Contains(err.Error(), "postcall migrate apply") {
		t.Errorf("check: %v", err)
	}
	f("apply mends", Apply, []Step{
		{"component template " + a + "@template", "current", ""},
		{"index template " + a, "missing", "create"},
		{"index " + a + "-2025-01", "version 0, wanted 1", "update the mapping of"},
		{"alias " + a + " of " + a + "-2025-01", "missing", "add"},
		{"index " + now, "missing", "create"},
		{"alias " + a, "missing", "create with the index"},
	})
	f("status after it", Status, current)
	wantWhere(t, l, "nothing is lost", "2025-01 default:c1 version 1")
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// An older mapping behind the alias would refuse fields: the sink waits for migrate apply, whichever month has it.
func TestOlderMonthPauses(t *testing.T) {
	l := byMonth(t)
	load(t, l, started("c1", "2025-01", 1))
	if err := l.c.do(t.Context(), http.MethodPut, "/"+l.c.alias+"-2025-01/_mapping", jsonBody(`{"_meta":{"template_version":0}}`), nil); err != nil {
		t.Fatal(explain(err))
	}
	if err := l.Check(t.Context()); !errors.Is(err, connector.ErrPaused) || !strings.Contains(err.Error(), "2025-01 has mapping version 0") {
		t.Errorf("got %v", err)
	}
	if _, err := Apply(t.Context(), config(l)); err != nil {
		t.Fatal(err)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// Loads at once, as two sinks or a sink and a tool of one process would have them.
func TestConcurrentLoadsLeaveOneDocument(t *testing.T) {
	l := byMonth(t)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			if err := l.Load(t.Context(), batch(started("c1", fmt.Sprintf("2026-%02d", i+1), int64(i+1)))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := where(t, l); len(got) != 1 || !strings.HasSuffix(got[0], "version 12") {
		t.Errorf("found %v, want one document of version 12", got)
	}
}

func TestVersionsAndCanaryByMonth(t *testing.T) {
	l := byMonth(t)
	if !l.Exclusive() || migrated(t).Exclusive() {
		t.Error("exclusive is what months are, and one index is not")
	}
	load(t, l, started("a", "2026-01", 100), started("b", "2026-02", 50))
	load(t, l, started("a", "2026-02", 200))
	got, err := l.Versions(t.Context(), []connector.SinkKey{{Tenant: "default", CallID: "a"}, {Tenant: "default", CallID: "none"}, {Tenant: "default", CallID: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{200, 0, 50}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := l.Canary(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantWhere(t, l, "after a canary", "2026-01 default:a version 200", "2026-02 default:b version 50")
}

func TestMonthOfACall(t *testing.T) {
	received := time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)
	f := func(what string, started time.Time, want string) {
		t.Helper()
		e := transforms.Event{CallStarted: started, ReceivedAt: received}
		if got := monthIndex("calls", monthOf(&e)); got != "calls-"+want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	f("the delivery's month", received.Add(-time.Hour), "2026-11")
	f("an earlier month", received.AddDate(0, -3, 0), "2026-08")
	f("nine years ago", received.AddDate(-9, 0, 0), "2017-11")
	f("in another zone", time.Date(2026, 10, 31, 23, 0, 0, 0, time.FixedZone("", -5*3600)), "2026-11")
	f("a clock ahead", received.AddDate(0, 0, 28), "2026-12")
	f("no start", time.Time{}, "2026-11")
	f("a wrong clock, back", time.Unix(0, 0), "2026-11")
	f("a wrong clock, ahead", time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC), "2026-11")
	e := transforms.Event{Version: received.UnixMicro()}
	if got := monthOf(&e); !got.Equal(received) {
		t.Errorf("neither start nor delivery: %s", got)
	}
	for index, want := range map[string]bool{
		"calls-2026-01": true, "calls-v1": true, "calls-v2": false, "calls-2026-01-copy": false, "calls-2026": false, "other-2026-01": false, "calls": false,
	} {
		if got := isOurs("calls", index); got != want {
			t.Errorf("%s is ours: %v", index, got)
		}
		if got := hasOurCalls("calls", index); got != (want || index == "calls-v2") {
			t.Errorf("%s has our calls: %v", index, got)
		}
	}
	if got := monthIndex("calls-", received); got != "calls-2026-11" || !isMonth("calls-", got) {
		t.Errorf("alias with a dash: %s", got)
	}
}
