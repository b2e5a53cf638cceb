package connector

import "testing"

func TestShareGuard(t *testing.T) {
	g := &shareGuard{limit: 0.5}
	if !g.allows(0, guardLeast-1) {
		t.Error("a few dead events say nothing yet")
	}
	if g.allows(0, 1) {
		t.Error("all of many events may die")
	}
	if g.allows(0, 1) {
		t.Error("asking again changed the answer")
	}
	if !g.allows(100, 1) {
		t.Error("one in many may not die")
	}
	for range 1000 { // one in fifty, for ever
		if !g.allows(49, 1) {
			t.Fatal("one in fifty may not die")
		}
	}
	died := 0
	for range 3 * guardWindow {
		if g.allows(0, 1) {
			died++
		}
	}
	if died > guardWindow {
		t.Errorf("%d events in a row died before the guard saw it", died)
	}
	if off := (&shareGuard{}); !off.allows(0, 10*guardWindow) {
		t.Error("without a limit everything is allowed")
	}
}
