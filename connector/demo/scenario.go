package demo

// scenario is a reason to call and how such a call goes. In its texts {name} and the like stand for what story.go fills in.
type scenario struct {
	topics   []string // in the words of the sender's model, the usual one first
	purposes []string

	solved, handed float64    // chances; the rest is neither
	mood           [4]float64 // of a solved call: positive, neutral, negative, mixed
	outbound       bool       // the business calls
	dated          bool       // a day and a time are mentioned
	contact        float64    // chance that a number or an address is taken down
	hit            bool       // what the incident is about

	open []string   // the first words of the caller
	talk []exchange // in this order, the last ones are sometimes left out

	ends [3]ending // by outcome
	asks []question
}

type exchange struct{ agent, user string }

// outcome is how a call ended for the caller.
type outcome int

const (
	solved outcome = iota
	handed         // to a person
	failed
)

// ending is the end of a call and what its summary says of it.
type ending struct {
	agent   string
	summary []string
	points  []string
	action  string
	reason  string // why somebody has to follow up
}

// question is one the agent can't answer.
type question struct {
	say   string // as it is asked
	title string // as it is listed
	about string // in the summary
}

var greetings = []string{
	"{biz}, this is the virtual assistant. How can I help you today?",
	"Thanks for calling {biz}. This call is recorded. What can I do for you?",
	"Hello, you've reached {biz}. How may I help?",
}

var dontKnow = []string{
	"I'm not sure about that, a colleague will call you back on it.",
	"That is something I don't know. I'll have somebody from the team get back to you.",
	"I can't see that from here. I've made a note, and someone will let you know.",
}

var askNumber = []exchange{
	{"Which number can we reach you at?", "It's {phone}."},
	{"Can you confirm the best number to reach you?", "Sure, {phone}, that's my cell."},
	{"What number should we call if something changes?", "{phone}, please."},
}

var askEmail = []exchange{
	{"Which e-mail should the confirmation go to?", "{email}, please."},
	{"What's the best e-mail address for you?", "You can use {email}."},
}

var askName = []exchange{
	{"May I have your first and last name?", "{name}."},
	{"Who am I speaking with?", "This is {name}."},
}

// closings are by mood: what the agent asks, and the caller's last words.
var closings = [4][]exchange{
	{
		{"Is there anything else I can do for you?", "No, that's all. Thank you so much, that was easy."},
		{"You're all set. Anything else?", "That's perfect, thanks a lot."},
	},
	{
		{"Is there anything else I can do for you?", "No, that's it. Bye."},
		{"Anything else today?", "No, thank you."},
	},
	{
		{"Is there anything else I can do for you?", "No. This is really frustrating, honestly."},
		{"I'm sorry that I couldn't do more. Anything else?", "No, I'll try somewhere else."},
	},
	{
		{"Is there anything else I can do for you?", "I guess not. Thanks, but this took far too long."},
		{"Anything else today?", "No. You've been nice, it's just that it should not have happened."},
	},
}

var onHold = exchange{"One moment please, let me look that up for you.", "Okay."}
