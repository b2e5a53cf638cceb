package demo

// agent answers the phone of one business.
type agent struct {
	name     string // agentName
	business string
	line     string  // business number, E.164
	share    float64 // of all calls
	skill    float64 // added to the chance that a call is solved
	items    []string
	menu     []weighted
}

// weighted is a scenario with its share of an agent's calls.
type weighted struct {
	*scenario
	share float64
}

// everywhere is what every business is called about.
var everywhere = []weighted{
	{&reschedule, 10},
	{&cancel, 6},
	{&billing, 9},
	{&refund, 3.5},
	{&complaint, 3.5},
	{&login, 4.5},
	{&price, 8},
	{&hours, 9},
	{&human, 3.5},
	{&job, 1.2},
	{&spam, 2.2},
	{&giftCard, 1.6},
	{&lostThing, 1.3},
	{&donation, 0.7},
	{&records, 1.8},
	{&loyalty, 1.1},
}

func menu(own ...weighted) []weighted { return append(own, everywhere...) }

// agents have different shares, skills and menus.
var agents = []agent{
	{
		name: "Harbor Dental front desk", business: "Harbor Dental", line: "+13125550100", share: 30, skill: 0.04,
		items: []string{"cleaning", "check-up", "filling", "whitening visit", "crown fitting"},
		menu:  menu(weighted{&book, 22}, weighted{&insurance, 8}, weighted{&emergency, 2}, weighted{&reminder, 9}),
	},
	{
		name: "Northgate Animal Clinic", business: "Northgate Animal Clinic", line: "+13125550103", share: 21, skill: 0.02,
		items: []string{"vaccination", "wellness exam", "nail trim", "dental cleaning", "follow-up exam"},
		menu:  menu(weighted{&book, 20}, weighted{&refill, 7}, weighted{&emergency, 4}, weighted{&reminder, 7}),
	},
	{
		name: "Riverside Auto Desk", business: "Riverside Auto", line: "+13125550106", share: 19, skill: 0,
		items: []string{"brake inspection", "oil change", "tire rotation", "battery check", "wheel alignment"},
		menu:  menu(weighted{&book, 19}, weighted{&order, 10}, weighted{&reminder, 4}),
	},
	{
		name: "Maple Street Pharmacy", business: "Maple Street Pharmacy", line: "+13125550109", share: 18, skill: 0.03,
		items: []string{"flu shot", "blood pressure check", "medication review", "travel vaccination"},
		menu:  menu(weighted{&refill, 30}, weighted{&order, 11}, weighted{&insurance, 7}, weighted{&book, 6}),
	},
	{
		name: "Lakeside Plumbing dispatch", business: "Lakeside Plumbing", line: "+13125550112", share: 12, skill: -0.09,
		items: []string{"water heater inspection", "drain cleaning", "faucet repair", "pipe inspection"},
		menu:  menu(weighted{&book, 16}, weighted{&emergency, 14}, weighted{&reminder, 3}),
	},
}
