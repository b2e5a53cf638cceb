package demo

var book = scenario{
	topics:   []string{"Appointment Booking", "appointment booking", "Scheduling", "New appointment"},
	purposes: []string{"Book a {item}", "Schedule a {item}"},
	solved:   0.83, handed: 0.07, mood: [4]float64{62, 30, 3, 5}, dated: true, contact: 0.8,
	open: []string{
		"Hi, I'd like to book a {item}, please.",
		"Good morning, I need to schedule a {item}. What do you have this week?",
		"Hello, do you have an opening for a {item} soon?",
	},
	talk: []exchange{
		{"Sure. I have {day} at {time}, or the day after in the afternoon. Which one suits you better?", "{day} at {time} works for me."},
		{"Have you been with us before?", "Yes, about a year ago."},
		{"About forty minutes should be enough for that. Is there anything we should know?", "No, nothing special."},
	},
	ends: [3]ending{
		{
			"You're booked for {day} at {time}. We'll send you a reminder the day before.",
			[]string{"{name} booked a {item} for {day} at {clock}.", "{name} scheduled a {item} on {day}, {clock}."},
			[]string{"{Item} booked for {day} {clock}", "Reminder goes out the day before"},
			"", "",
		},
		{
			"That one needs a longer slot, so I'm transferring you to the front desk.",
			[]string{"{name} wanted a {item}; the call was transferred to the front desk for a longer slot."},
			[]string{"A longer slot was needed", "Transferred to the front desk"},
			"Find a long slot for {name}", "No slot was long enough",
		},
		{
			"I'm sorry, I can't find a free slot before the end of the month.",
			[]string{"{name} asked for a {item}, but no slot was free that suited."},
			[]string{"No free slot that suits"},
			"Offer {name} a slot for a {item}, {num}", "No appointment could be offered",
		},
	},
	asks: []question{
		{"Do you validate parking?", "Is parking validated?", "parking"},
		{"Could my sister have the slot right after mine?", "Can two family members have slots in a row?", "a second slot"},
		{"Is the same person as last time going to be there?", "Will the same member of staff be there?", "the staff on that day"},
	},
}

var reschedule = scenario{
	topics:   []string{"Appointment Rescheduling", "Reschedule appointment", "appointment change"},
	purposes: []string{"Move an appointment", "Reschedule a {item}"},
	solved:   0.86, handed: 0.05, mood: [4]float64{50, 42, 3, 5}, dated: true, contact: 0.5,
	open: []string{
		"Hi, I can't make it to my {item} this week. I need to move my appointment.",
		"Hello, something came up at work. Can I reschedule my {item}?",
	},
	talk: []exchange{
		{"No problem. The next free times are {day} at {time} and the Monday after. What works for you?", "{day} at {time}, please."},
		{"I'll move it. The old time is free again then. Is that right?", "Yes, that's right."},
	},
	ends: [3]ending{
		{
			"Done. Your {item} is now on {day} at {time}.",
			[]string{"{name} moved a {item} to {day} at {clock}."},
			[]string{"{Item} moved to {day} {clock}"},
			"", "",
		},
		{
			"There's a note on your file that I can't change. I'll connect you to a colleague.",
			[]string{"{name} wanted to move a {item}; a note on the file made a transfer necessary."},
			[]string{"A note on the file prevents changes", "Transferred to a colleague"},
			"Check the note on the file of {name}", "The note on the file has to be checked",
		},
		{
			"I'm afraid I can't find that appointment under your name.",
			[]string{"{name} wanted to move a {item}, but the appointment was not found."},
			[]string{"Appointment not found"},
			"Look for the appointment of {name} and call {num}", "The appointment was not found",
		},
	},
	asks: []question{
		{"Will you charge me for moving it this late?", "Is there a fee for moving an appointment at short notice?", "a late fee"},
		{"Is there a waiting list in case something opens up?", "Is there a waiting list for earlier slots?", "a waiting list"},
	},
}

var cancel = scenario{
	topics:   []string{"Cancellation", "Cancel appointment", "appointment cancellation"},
	purposes: []string{"Cancel a {item}"},
	solved:   0.88, handed: 0.04, mood: [4]float64{24, 62, 6, 8}, dated: true, contact: 0.2,
	open: []string{
		"Hi, I need to cancel my appointment on {day}.",
		"Hello, I'd like to cancel the {item} that I have on {day}, please.",
	},
	talk: []exchange{
		{"I see a {item} on {day} at {time}. Is that the one?", "Yes, exactly."},
		{"Would you like another date instead?", "No, not at the moment."},
	},
	ends: [3]ending{
		{
			"It's cancelled, and you won't be charged.",
			[]string{"{name} cancelled the {item} on {day} at {clock}."},
			[]string{"{Item} on {day} cancelled", "No new date wanted"},
			"", "",
		},
		{
			"That one was prepaid, so a colleague has to do it. I'm transferring you.",
			[]string{"{name} wanted to cancel a prepaid {item} and was transferred."},
			[]string{"The {item} is prepaid"},
			"Cancel the prepaid {item} of {name}", "A prepaid visit has to be cancelled by hand",
		},
		{
			"I can't cancel it, since it's less than a day away.",
			[]string{"{name} wanted to cancel a {item}, which was too late by the rules."},
			[]string{"Cancellation came too late"},
			"Decide on the late cancellation of {name}", "The cancellation came too late",
		},
	},
	asks: []question{{"Do I get my deposit back?", "Is the deposit paid back after a cancellation?", "the deposit"}},
}

var reminder = scenario{
	topics:   []string{"Appointment Reminder", "reminder call"},
	purposes: []string{"Remind of a {item}"},
	solved:   0.9, handed: 0.02, mood: [4]float64{35, 58, 3, 4}, outbound: true, dated: true,
	open: []string{"Yes, speaking.", "Hello? Yes, that's me."},
	talk: []exchange{
		{"I'm calling to remind you of your {item} on {day} at {time}. Does that still work for you?", "Yes, I have it in my calendar."},
		{"Please come five minutes early.", "Will do."},
	},
	ends: [3]ending{
		{
			"Wonderful, we'll see you on {day}.",
			[]string{"{name} confirmed the {item} on {day} at {clock}."},
			[]string{"Visit on {day} {clock} confirmed"},
			"", "",
		},
		{
			"Let me connect you to the desk, so that you can find another time.",
			[]string{"{name} can't come to the {item} on {day} and was transferred for a new time."},
			[]string{"{day} does not work"},
			"Find a new time for {name}", "A new time is needed",
		},
		{
			"I understand. We'll call again tomorrow.",
			[]string{"{name} could not talk at that moment; the reminder of the {item} has to be repeated."},
			[]string{"Reminder has to be repeated"},
			"Remind {name} again of {day}", "The reminder has to be repeated",
		},
	},
}

var emergency = scenario{
	topics:   []string{"Emergency", "Urgent request", "emergency"},
	purposes: []string{"Get help at once"},
	solved:   0.42, handed: 0.46, mood: [4]float64{30, 30, 15, 25}, contact: 0.9,
	open: []string{
		"Hi, this is an emergency, I need somebody right away.",
		"Hello, it's urgent. It started an hour ago, and it's getting worse.",
	},
	talk: []exchange{
		{"I'm sorry to hear that. What exactly happened?", "It came out of nowhere, and I can't stop it myself."},
		{"Where are you at the moment?", "At home, {street}."},
	},
	ends: [3]ending{
		{
			"Somebody is on the way and will call you in the next ten minutes.",
			[]string{"{name} had an emergency at {street}; help is on the way."},
			[]string{"Emergency at {street}", "Help is on the way"},
			"Call {name} at {num} within ten minutes", "Somebody has to call within ten minutes",
		},
		{
			"I'm putting you through to the person on call. Please stay on the line.",
			[]string{"{name} had an emergency and was transferred to the person on call."},
			[]string{"Urgent", "Transferred to the person on call"},
			"", "",
		},
		{
			"The person on call doesn't pick up. Please dial 911 if somebody is in danger.",
			[]string{"{name} had an emergency, and nobody on call could be reached."},
			[]string{"Nobody on call picked up"},
			"Call {name} at {num} at once", "Nobody on call could be reached",
		},
	},
	asks: []question{{"How much is it going to cost to come out tonight?", "What does a visit at night cost?", "the price of a night visit"}},
}

var human = scenario{
	topics:   []string{"Human Request", "Talk to a person", "transfer request"},
	purposes: []string{"Talk to a person"},
	solved:   0.12, handed: 0.72, mood: [4]float64{20, 60, 10, 10}, contact: 0.1,
	open: []string{
		"I don't want to talk to a machine. Can I speak to a real person?",
		"Hi, can you transfer me to somebody at the desk? I'd rather talk to a human.",
	},
	talk: []exchange{{"Of course. What is it about, so that I find the right person?", "It's a longer story, about my last visit."}},
	ends: [3]ending{
		{
			"Nobody is free, so I've written down a callback for you. You'll hear from us today.",
			[]string{"{name} asked for a person and agreed to a callback."},
			[]string{"Callback agreed"},
			"Call {name} back at {num}", "A callback was promised",
		},
		{
			"I'm transferring you now.",
			[]string{"{name} asked for a person and was transferred."},
			[]string{"Wanted a person"},
			"", "",
		},
		{
			"All of my colleagues are busy at the moment.",
			[]string{"{name} asked for a person, but nobody was free."},
			[]string{"Nobody was free"},
			"Call {name} back at {num}", "The caller wants to talk to a person",
		},
	},
}
