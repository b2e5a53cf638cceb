package topics

import (
	"slices"
	"testing"
)

func TestProposeGroupsWhatIsAboutOneThing(t *testing.T) {
	got := Propose([]Unmapped{
		{"Gift Cards", "Ask about a gift card", 9},
		{"gift card balance", "ask about a gift card.", 4},
		{"gift card balance", "Balance of a gift card", 1},
		{"Lost and Found", "Find something that was left behind", 6},
		{"Lost and Found", "Ask [PERSON_1] [PERSON_1] for the umbrella", 1},
		{"", "", 20},
		{"Parking", "", 3},
	})
	var names []string
	for _, g := range got {
		names = append(names, g.Name)
	}
	if want := []string{"", "Gift Cards", "Lost and Found", "Parking"}; !slices.Equal(names, want) {
		t.Fatalf("%q, want %q", names, want)
	}
	if g := got[1]; g.Calls != 14 || !slices.Equal(g.Topics, []string{"Gift Cards", "gift card balance"}) || !slices.Equal(g.Words, []string{"gift card"}) {
		t.Errorf("%+v", g)
	}
	if g := got[2]; !slices.Equal(g.Words, []string{"left behind"}) {
		t.Errorf("%+v", g)
	}
	if g := got[0]; g.Calls != 20 || len(g.Topics)+len(g.Purposes)+len(g.Words) > 0 {
		t.Errorf("%+v", g)
	}
}

func TestWhatTwoGroupsSayIsNoWordOfEither(t *testing.T) {
	got := Propose([]Unmapped{{"A", "Buy a gift card", 5}, {"B", "Return a gift card", 4}})
	if len(got) != 2 || len(got[0].Words) != 0 || len(got[1].Words) != 0 {
		t.Errorf("%+v", got)
	}
}
