package demo

var refill = scenario{
	topics:   []string{"Prescription Refill", "refill", "Prescription refill request"},
	purposes: []string{"Refill a prescription"},
	solved:   0.81, handed: 0.1, mood: [4]float64{48, 42, 4, 6}, contact: 0.6, hit: true,
	open: []string{
		"Hi, I need a refill of my prescription. The number is {order}.",
		"Hello, I'm almost out of my medication and need a refill.",
	},
	talk: []exchange{
		{"Happy to help. Can you tell me your date of birth?", "It's April ninth, nineteen seventy-eight."},
		{"I have it here. Do you want to pick it up on {day}?", "{day} is fine, after work."},
	},
	ends: [3]ending{
		{
			"It will be ready on {day} from {time}.",
			[]string{"{name} asked for a refill of prescription {order}, ready on {day}."},
			[]string{"Refill of {order}", "Ready on {day}"},
			"", "",
		},
		{
			"There are no refills left on it. I'm transferring you to a pharmacist.",
			[]string{"{name} asked for a refill of prescription {order}, which has none left, and was transferred."},
			[]string{"No refills left"},
			"Ask the doctor for a new prescription for {name}", "A new prescription is needed",
		},
		{
			"I'm sorry, I can't reach the prescription system at the moment.",
			[]string{"{name} asked for a refill of prescription {order}, but the system could not be reached."},
			[]string{"Prescription system could not be reached"},
			"Order the refill of {order} and call {num}", "The refill was not ordered",
		},
	},
	asks: []question{
		{"Can I take it together with ibuprofen?", "Can it be taken together with ibuprofen?", "taking it with ibuprofen"},
		{"Is there a cheaper brand of it?", "Is there a cheaper generic?", "a cheaper brand"},
	},
}

var order = scenario{
	topics:   []string{"Order Status", "order status", "Delivery question"},
	purposes: []string{"Ask where an order is"},
	solved:   0.7, handed: 0.1, mood: [4]float64{28, 48, 12, 12}, contact: 0.4,
	open: []string{
		"Hi, where is my order? The number is {order}.",
		"Hello, I ordered something a week ago, and it never arrived. Order {order}.",
	},
	talk: []exchange{onHold, {"It left our supplier on {since}.", "And when will it be there?"}},
	ends: [3]ending{
		{
			"It will be here on {day}. You'll get a text when you can pick it up.",
			[]string{"{name} asked about order {order}, which arrives on {day}."},
			[]string{"Order {order} arrives {day}"},
			"", "",
		},
		{
			"I see a problem with that order. My colleague will take over.",
			[]string{"{name} asked about order {order}, which has a problem, and was transferred."},
			[]string{"Problem with order {order}"},
			"Clear order {order} with the supplier", "The order has a problem",
		},
		{
			"I can't find an order with that number.",
			[]string{"{name} asked about order {order}, which was not found."},
			[]string{"Order {order} not found"},
			"Look for order {order} and call {num}", "The order was not found",
		},
	},
	asks: []question{{"Can you send it to my office instead?", "Can an order be sent to another address?", "another address"}},
}

var login = scenario{
	topics:   []string{"Technical Support", "Login problem", "portal access"},
	purposes: []string{"Get into the online account"},
	solved:   0.55, handed: 0.17, mood: [4]float64{30, 35, 18, 17}, contact: 0.9, hit: true,
	open: []string{
		"Hi, I can't log in to your website, it says that my password is wrong.",
		"Hello, your app is not working, I only get an error message.",
	},
	talk: []exchange{
		{"Let's sort that out. What do you see on the screen?", "It says that I'm locked out."},
		{"I'll send you a new link. Can you open it now?", "One second. Yes, there it is."},
	},
	ends: [3]ending{
		{
			"Please choose a new password there, and you're in.",
			[]string{"{name} could not log in; a link for a new password helped."},
			[]string{"Locked out of the account", "New password set"},
			"", "",
		},
		{
			"That's one for our technician, I'm transferring you.",
			[]string{"{name} could not log in and was transferred to a technician."},
			[]string{"Locked out of the account"},
			"", "",
		},
		{
			"It looks like an outage on our side. I'm sorry, I can't fix that.",
			[]string{"{name} could not log in because of an outage."},
			[]string{"Outage of the website"},
			"Tell {name} when the website works again, {mail}", "The website did not work",
		},
	},
	asks: []question{{"When will the app work on my tablet?", "Does the app run on tablets?", "the app on tablets"}},
}

var hours = scenario{
	topics:   []string{"Hours and Location", "opening hours", "Hours"},
	purposes: []string{"Ask for the opening hours", "Ask for the way"},
	solved:   0.95, handed: 0.01, mood: [4]float64{34, 64, 1, 1},
	open: []string{
		"Hi, what time do you close today?",
		"Hello, are you open on Saturday?",
		"Hi, where are you located exactly, and is there parking?",
	},
	talk: []exchange{{"We are open from eight to six on weekdays and from nine to two on Saturdays.", "Okay, good."}},
	ends: [3]ending{
		{
			"We're at 200 Harbor Street, right beside the library. See you then.",
			[]string{"The caller asked for the opening hours and the address and got both."},
			[]string{"Opening hours given"},
			"", "",
		},
		{
			"Let me connect you to somebody who knows the building.",
			[]string{"The caller asked for the way and was transferred."},
			[]string{"Asked for the way"},
			"", "",
		},
		{
			"I don't know the hours on that holiday.",
			[]string{"The caller asked for the opening hours on a holiday, which were not known."},
			[]string{"Holiday hours not known"},
			"Add the holiday hours", "The holiday hours are not known",
		},
	},
	asks: []question{
		{"And on Memorial Day?", "What are the opening hours on holidays?", "holiday hours"},
		{"Is the entrance accessible with a wheelchair?", "Is the entrance accessible with a wheelchair?", "access with a wheelchair"},
	},
}

var job = scenario{
	topics:   []string{"Job Inquiry", "Employment"},
	purposes: []string{"Ask for a job"},
	solved:   0.7, handed: 0.1, mood: [4]float64{40, 56, 2, 2}, contact: 0.9,
	open: []string{"Hi, are you hiring? I saw the job opening for the front desk."},
	talk: []exchange{{"Thanks for your interest. Do you have experience at a front desk?", "Three years, yes."}},
	ends: [3]ending{
		{
			"Please send your resume, and we'll call you.",
			[]string{"{name} asked about the job at the front desk and will send a resume."},
			[]string{"Front desk job", "Three years of experience"},
			"Look at the resume of {name}, {mail}", "An application is coming",
		},
		{"I'm transferring you to the manager.", []string{"{name} asked about a job and was transferred to the manager."}, []string{"Front desk job"}, "", ""},
		{"I have no information about open positions.", []string{"{name} asked about a job; nothing was known."}, []string{"Asked for a job"}, "Call {name} about the job, {num}", "Somebody asks for a job"},
	},
}

var spam = scenario{
	topics:   []string{"Spam", "Telemarketing", "not available"},
	purposes: []string{"Sell something"},
	solved:   0.3, handed: 0, mood: [4]float64{2, 82, 14, 2},
	open: []string{
		"Hello, this is about your business loan offer, you have been selected.",
		"Hi, I'm calling about your Google listing, it will be removed unless you act today.",
	},
	talk: []exchange{{"This line is for customers only.", "It only takes a minute, can I speak to the owner?"}},
	ends: [3]ending{
		{"Please take us off your list. Goodbye.", []string{"A sales call, ended by the agent."}, []string{"Sales call"}, "", ""},
		{"One moment.", []string{"A sales call."}, []string{"Sales call"}, "", ""},
		{"We're not interested.", []string{"A telemarketing call without a customer."}, []string{"Telemarketing"}, "", ""},
	},
}

// What follows is what the built-in taxonomy has no topic for.

var giftCard = scenario{
	topics:   []string{"Gift Cards", "gift card balance", "Gift certificate"},
	purposes: []string{"Ask about a gift card"},
	solved:   0.62, handed: 0.1, mood: [4]float64{40, 50, 5, 5}, contact: 0.3,
	open: []string{
		"Hi, I was given a gift card. How much is left on it?",
		"Hello, can I get a gift card for my mother at your place?",
	},
	talk: []exchange{{"Can you read me the number on the back?", "It's {order}."}},
	ends: [3]ending{
		{"There are {amount} dollars on it.", []string{"{name} asked what is left on a gift card: ${amount}."}, []string{"Gift card has ${amount}"}, "", ""},
		{"I'm transferring you to the desk.", []string{"{name} asked about a gift card and was transferred."}, []string{"Gift card"}, "", ""},
		{"I can't look up gift cards, I'm sorry.", []string{"{name} asked about a gift card, which could not be looked up."}, []string{"Gift card could not be looked up"}, "Look up gift card {order} for {name}", "The gift card could not be looked up"},
	},
	asks: []question{{"Does it expire?", "Do gift cards expire?", "whether it expires"}},
}

var lostThing = scenario{
	topics:   []string{"Lost and Found", "lost item"},
	purposes: []string{"Find something that was left behind"},
	solved:   0.4, handed: 0.2, mood: [4]float64{45, 45, 5, 5}, contact: 0.9,
	open: []string{"Hi, I think I left my umbrella at your place on {since}. Did somebody find it?"},
	talk: []exchange{{"What does it look like?", "It's dark green, with a wooden handle."}},
	ends: [3]ending{
		{"Yes, it's here at the desk. We'll keep it for you.", []string{"{name} left an umbrella on {since}; it was found."}, []string{"Umbrella found"}, "", ""},
		{"Let me put you through to the desk.", []string{"{name} looks for an umbrella left on {since} and was transferred."}, []string{"Umbrella left on {since}"}, "", ""},
		{"I have no list of what was found.", []string{"{name} looks for an umbrella left on {since}."}, []string{"Umbrella left on {since}"}, "Look for a green umbrella and call {num}", "Something was left behind"},
	},
}

var donation = scenario{
	topics:   []string{"Sponsorship", "Donation request"},
	purposes: []string{"Ask for a donation"},
	solved:   0.3, handed: 0.25, mood: [4]float64{40, 55, 2, 3}, contact: 0.9,
	open: []string{"Hi, I'm with the school on Maple Street. Would you sponsor our fall festival?"},
	talk: []exchange{{"That sounds nice. What would you need?", "Anything for the raffle, really."}},
	ends: [3]ending{
		{"I've sent your note to the owner.", []string{"{name} asks for a gift to a school raffle; the owner was told."}, []string{"School raffle"}, "Answer {name} about the raffle, {mail}", "The owner has to answer"},
		{"I'm connecting you to the owner.", []string{"{name} asks for a gift to a school raffle and was transferred."}, []string{"School raffle"}, "", ""},
		{"I can't decide that.", []string{"{name} asks for a gift to a school raffle."}, []string{"School raffle"}, "Answer {name} about the raffle, {mail}", "The owner has to answer"},
	},
}

var records = scenario{
	topics:   []string{"Records Request", "records transfer"},
	purposes: []string{"Get a copy of the records"},
	solved:   0.5, handed: 0.3, mood: [4]float64{25, 65, 5, 5}, contact: 0.9,
	open: []string{"Hello, we are moving to another state, and I need a copy of all our records."},
	talk: []exchange{{"I can start that for you. Where should they go?", "To our new address, {street}."}},
	ends: [3]ending{
		{"They will be in the mail by {day}.", []string{"{name} asked for a copy of the records, sent to {street} by {day}."}, []string{"Copy of the records by {day}"}, "", ""},
		{"You have to sign for that. I'm transferring you.", []string{"{name} asked for a copy of the records and was transferred for the signature."}, []string{"Signature needed"}, "", ""},
		{"I don't have access to records.", []string{"{name} asked for a copy of the records, which could not be made."}, []string{"No access to records"}, "Send the records of {name} to {street}", "The records were not sent"},
	},
	asks: []question{{"Is there a charge for the copies?", "What do copies of the records cost?", "the cost of copies"}},
}

var loyalty = scenario{
	topics:   []string{"Loyalty Program", "points"},
	purposes: []string{"Ask about loyalty points"},
	solved:   0.6, handed: 0.08, mood: [4]float64{38, 50, 6, 6}, contact: 0.3,
	open: []string{"Hi, how many loyalty points do I have?"},
	talk: []exchange{{"Let me see. Is your member number {order}?", "Yes, it is."}},
	ends: [3]ending{
		{"You have {order} points.", []string{"{name} asked for the loyalty points: {order}."}, []string{"{order} points"}, "", ""},
		{"I'm transferring you to the desk.", []string{"{name} asked for the loyalty points and was transferred."}, []string{"Loyalty points"}, "", ""},
		{"I can't see your points.", []string{"{name} asked for the loyalty points, which could not be looked up."}, []string{"Points could not be looked up"}, "Tell {name} the number of points, {mail}", "The points could not be looked up"},
	},
	asks: []question{{"What can I get for them?", "What can loyalty points be used for?", "what the points are good for"}},
}
