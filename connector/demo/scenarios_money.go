package demo

var billing = scenario{
	topics:   []string{"Billing Question", "billing", "Invoice question", "Payment"},
	purposes: []string{"Ask about an invoice", "Pay an invoice"},
	solved:   0.66, handed: 0.18, mood: [4]float64{26, 50, 12, 12}, contact: 0.5, hit: true,
	open: []string{
		"Hi, I got an invoice over {amount} dollars, and I don't understand what it's for.",
		"Hello, I'd like to pay my bill. It's number {order}.",
		"I have a question about a charge on my card, {amount} dollars, from last month.",
	},
	talk: []exchange{
		{"Let me look at it. Can you read me the number at the top?", "It says {order}."},
		{"I see it. It is for your {item} in the spring.", "Okay, and was part of it not paid already?"},
		{"There is one payment on the account, the rest is open.", "I see."},
	},
	ends: [3]ending{
		{
			"I've sent you a link to pay the {amount} dollars, and a copy of the invoice.",
			[]string{"{name} asked about invoice {order} over ${amount}; a copy and a payment link were sent."},
			[]string{"Invoice {order} over ${amount}", "Payment link sent"},
			"", "",
		},
		{
			"I'd like our billing office to look at this with you. I'm transferring you.",
			[]string{"{name} questioned invoice {order} over ${amount} and was transferred to the billing office."},
			[]string{"Invoice {order} is disputed"},
			"Go through invoice {order} with {name}", "The invoice is disputed",
		},
		{
			"I'm sorry, the billing system doesn't answer. Please try again later.",
			[]string{"{name} asked about invoice {order}, but the billing system did not answer."},
			[]string{"Billing system did not answer"},
			"Send {name} a copy of invoice {order}, {mail}", "The invoice could not be looked up",
		},
	},
	asks: []question{
		{"Can I pay it in three parts?", "Can an invoice be paid in parts?", "paying in parts"},
		{"Why is it more than last year?", "Why has the price gone up since last year?", "the higher price"},
		{"Do you take checks?", "Are checks accepted?", "paying by check"},
	},
}

var refund = scenario{
	topics:   []string{"Refund Request", "refund"},
	purposes: []string{"Ask for a refund"},
	solved:   0.48, handed: 0.3, mood: [4]float64{20, 38, 20, 22}, contact: 0.6, hit: true,
	open: []string{
		"I was charged twice for my {item}. I want a refund of {amount} dollars.",
		"Hi, I'd like my money back for the {item}, it was {amount} dollars.",
	},
	talk: []exchange{
		{"I'm sorry about that. Do you have the receipt with you?", "Yes, number {order}."},
		onHold,
	},
	ends: [3]ending{
		{
			"The {amount} dollars will be on your card within five days.",
			[]string{"{name} asked for a refund of ${amount}, which was granted."},
			[]string{"Refund of ${amount} granted", "Receipt {order}"},
			"", "",
		},
		{
			"A refund of that size needs the office. I'm putting you through.",
			[]string{"{name} asked for a refund of ${amount} and was transferred to the office."},
			[]string{"Refund of ${amount} needs the office"},
			"Decide on the refund of ${amount} for {name}", "The office has to decide on the refund",
		},
		{
			"I can't find that payment, so I can't give it back yet.",
			[]string{"{name} asked for a refund of ${amount}; the payment was not found."},
			[]string{"Payment {order} not found"},
			"Look for payment {order} and call {num}", "The payment was not found",
		},
	},
	asks: []question{{"How long does it take if I paid in cash?", "How are cash payments refunded?", "refunds in cash"}},
}

var complaint = scenario{
	topics:   []string{"Complaint", "complaint", "Customer complaint"},
	purposes: []string{"Complain about a visit"},
	solved:   0.34, handed: 0.34, mood: [4]float64{4, 16, 55, 25}, contact: 0.6, hit: true,
	open: []string{
		"I'm not happy at all. I waited fifty minutes for my {item}, that's unacceptable.",
		"I want to make a complaint about the {item} I had, the person was really rude.",
	},
	talk: []exchange{
		{"I'm very sorry. When was that?", "On {since}, in the afternoon."},
		{"Did you speak with anybody there?", "Yes, and nobody cared."},
	},
	ends: [3]ending{
		{
			"I've passed it on to the manager, and there is a credit of {amount} dollars on your account.",
			[]string{"{name} complained about the {item} on {since}; a credit of ${amount} was given."},
			[]string{"Long wait on {since}", "Credit of ${amount}"},
			"", "",
		},
		{
			"I'd like the manager to hear this from you. One moment, I'm connecting you.",
			[]string{"{name} complained about the {item} on {since} and was transferred to the manager."},
			[]string{"Complaint about {since}"},
			"Write to {name} about the complaint, {mail}", "The manager has to answer the complaint",
		},
		{
			"I've written it down. I can't do more than that from here.",
			[]string{"{name} complained about the {item} on {since} and was not satisfied by the answer."},
			[]string{"Complaint about {since}", "Caller was not satisfied"},
			"Call {name} about the complaint, {num}", "The complaint is open",
		},
	},
	asks: []question{{"What are you going to do so that it doesn't happen again?", "What is being done about the waiting times?", "the waiting times"}},
}

var price = scenario{
	topics:   []string{"Pricing Inquiry", "pricing", "Sales inquiry", "Price question"},
	purposes: []string{"Ask for the price of a {item}"},
	solved:   0.74, handed: 0.09, mood: [4]float64{36, 54, 4, 6}, contact: 0.35,
	open: []string{
		"Hi, how much does a {item} cost?",
		"Hello, I'm a new customer. What's the price for a {item}?",
	},
	talk: []exchange{
		{"It starts at {amount} dollars. Would you like an estimate for your case?", "Yes, that would help."},
		{"Is it for yourself?", "For my family, there are four of us."},
	},
	ends: [3]ending{
		{
			"I've sent you the estimate, and the price list with it.",
			[]string{"{name} asked what a {item} costs and got an estimate of ${amount}."},
			[]string{"Estimate of ${amount}"},
			"", "",
		},
		{
			"For several people we have packages. My colleague in sales knows them best, I'm transferring you.",
			[]string{"{name} asked for the price of a {item} for a family and was transferred to sales."},
			[]string{"Family of four"},
			"", "",
		},
		{
			"I don't have a price for that, I'm afraid.",
			[]string{"{name} asked what a {item} costs; no price was known."},
			[]string{"Price not known"},
			"Send {name} a price for a {item}, {mail}", "The price is not known",
		},
	},
	asks: []question{
		{"Is there a discount for seniors?", "Is there a discount for seniors?", "a discount for seniors"},
		{"Does the price include the follow-up?", "Is the follow-up visit included in the price?", "the follow-up visit"},
	},
}

var insurance = scenario{
	topics:   []string{"Insurance Question", "insurance coverage", "Insurance"},
	purposes: []string{"Ask about insurance coverage"},
	solved:   0.52, handed: 0.24, mood: [4]float64{25, 55, 10, 10}, contact: 0.4,
	open: []string{
		"Hi, do you take my insurance for a {item}?",
		"Hello, I'd like to know whether my plan covers a {item}.",
	},
	talk: []exchange{
		{"Which company are you insured with?", "With Prairie Mutual, the family plan."},
		{"And the policy number?", "It ends in {order}."},
	},
	ends: [3]ending{
		{
			"Your plan covers it, there is a copay of {amount} dollars.",
			[]string{"{name} asked about coverage of a {item}; the plan covers it with a copay of ${amount}."},
			[]string{"Covered", "Copay of ${amount}"},
			"", "",
		},
		{
			"Our insurance desk can check that with you. I'm transferring you.",
			[]string{"{name} asked about coverage of a {item} and was transferred to the insurance desk."},
			[]string{"Coverage has to be checked"},
			"", "",
		},
		{
			"I can't see your plan, so I can't tell.",
			[]string{"{name} asked about coverage of a {item}; the plan could not be looked up."},
			[]string{"Plan could not be looked up"},
			"Check the coverage of {name} and call {num}", "Coverage is not known",
		},
	},
	asks: []question{
		{"Does that count toward my deductible?", "Does it count toward the deductible?", "the deductible"},
		{"Do I have to hand in the claim myself?", "Who hands in the claim?", "handing in the claim"},
	},
}
