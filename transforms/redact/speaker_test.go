package redact

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// speaker makes labelled calls: a grammar of how people ask for values and give them on the phone. It is written from
// how digits, letters, dates and addresses are read out (telephone and airline practice, ITU phonetic alphabet, and what
// recognizers make of it), not from any data set.
type speaker struct {
	*rand.Rand
	raw  bool // lower case without punctuation
	bad  bool // as a recognizer writes it: homophones, fillers, words it misheard
	talk bool // values are said
}

// piece is a part of a turn; one with a type is personal.
type piece struct {
	text string
	typ  Type
}

type talkTurn struct {
	role   string
	pieces []piece
}

// text is all that the turn says.
func (t *talkTurn) text() string {
	var b strings.Builder
	for _, p := range t.pieces {
		b.WriteString(p.text)
	}
	return b.String()
}

func (s *speaker) pick(options ...string) string { return options[s.IntN(len(options))] }

func (s *speaker) chance(p float64) bool { return s.Float64() < p }

func (s *speaker) number(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '0' + byte(s.IntN(10))
	}
	return string(b)
}

var digitWords = strings.Fields("zero one two three four five six seven eight nine")

var teenWords = strings.Fields("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")

var tensWords = strings.Fields("zero ten twenty thirty forty fifty sixty seventy eighty ninety")

func (s *speaker) digit(d byte) string {
	if d == '0' {
		return s.pick("zero", "oh", "oh", "o")
	}
	w := digitWords[d-'0']
	if s.bad && s.chance(0.06) {
		switch d {
		case '2':
			return s.pick("to", "too")
		case '4':
			return "for"
		case '8':
			return "ate"
		case '1':
			return "won"
		case '3':
			return "tree"
		case '6':
			return "sex"
		}
	}
	return w
}

func pairWords(a, b byte) string {
	switch {
	case a == '1':
		return teenWords[b-'0']
	case b == '0':
		return tensWords[a-'0']
	}
	return tensWords[a-'0'] + " " + digitWords[b-'0']
}

// say reads digits out.
func (s *speaker) say(d string) string {
	var out []string
	pairs := s.chance(0.3)
	first := true
	for i := 0; i < len(d); {
		if !first && s.chance(0.05) {
			out = append(out, s.pick("uh", "um"))
		}
		switch {
		case !pairs && i+2 < len(d) && d[i] == d[i+1] && d[i] == d[i+2] && s.chance(0.4):
			out = append(out, "triple "+digitWords[d[i]-'0'])
			i += 3
		case i+1 < len(d) && d[i] == d[i+1] && s.chance(0.3):
			out = append(out, "double "+s.digitPlain(d[i]))
			i += 2
		case pairs && i+1 < len(d) && d[i] != '0':
			out = append(out, pairWords(d[i], d[i+1]))
			i += 2
		default:
			w := s.digit(d[i])
			if s.bad && i > 2 && i+2 < len(d) && !pairs && s.chance(0.02) {
				w = s.pick("hive", "sure", "the", "ten", "line", "heaven")
			}
			out = append(out, w)
			i++
		}
		first = false
	}
	return strings.Join(out, " ")
}

func (s *speaker) digitPlain(d byte) string {
	if d == '0' {
		return s.pick("zero", "oh")
	}
	return digitWords[d-'0']
}

// groups puts a number into groups.
func (s *speaker) groups(d string, sizes ...int) []string {
	var out []string
	for _, n := range sizes {
		if n = min(n, len(d)); n > 0 {
			out = append(out, d[:n])
			d = d[n:]
		}
	}
	if d != "" {
		out = append(out, d)
	}
	return out
}

func (s *speaker) sayGroups(gs []string) string {
	var out []string
	for _, g := range gs {
		out = append(out, s.say(g))
	}
	sep := " "
	if !s.raw {
		sep = s.pick(", ", " ", ", ", "... ")
	}
	return strings.Join(out, sep)
}

func (s *speaker) code(d string, sizes []int, sep string) string {
	gs := s.groups(d, sizes...)
	if s.talk {
		return s.sayGroups(gs)
	}
	return strings.Join(gs, sep)
}

var nato = strings.Fields("alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu")

var asIn = strings.Fields("apple boy cat dog edward frank george henry ida john king larry mary nancy oscar peter queen robert sam tom union victor william xray young zebra")

func (s *speaker) letter(c byte) string {
	switch s.IntN(8) {
	case 0:
		return nato[c-'a']
	case 1:
		return string(c) + " as in " + asIn[c-'a']
	case 2:
		return string(c) + " for " + asIn[c-'a']
	}
	return string(c)
}

// mixed says or writes a code of letters and digits.
func (s *speaker) mixed(v string) string {
	if !s.talk {
		if s.raw {
			return v
		}
		return strings.ToUpper(v)
	}
	var out []string
	for i := 0; i < len(v); {
		if isLetter(v[i]) {
			out = append(out, s.letter(v[i]))
			i++
			continue
		}
		j := i
		for j < len(v) && isDigit(v[j]) {
			j++
		}
		out = append(out, s.say(v[i:j]))
		i = j
	}
	return strings.Join(out, " ")
}

func (s *speaker) letters(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(s.IntN(26))
	}
	return string(b)
}

func luhnDigit(d string) string {
	for c := byte('0'); c <= '9'; c++ {
		if luhn([]byte(d + string(c))) {
			return d + string(c)
		}
	}
	return d
}

var months = strings.Fields("january february march april may june july august september october november december")

var ordinals = strings.Fields("zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth")

func ordinal(n int) string {
	switch {
	case n <= 20:
		return ordinals[n]
	case n == 30:
		return "thirtieth"
	case n < 30:
		return "twenty " + ordinals[n-20]
	}
	return "thirty " + ordinals[n-30]
}

func (s *speaker) year(y int) string {
	d := fmt.Sprint(y)
	switch {
	case y >= 2000 && y < 2010:
		return s.pick("two thousand "+digitWords[y-2000], "two thousand and "+digitWords[y-2000])
	case d[2] == '0':
		return pairWords(d[0], d[1]) + " oh " + digitWords[d[3]-'0']
	}
	return pairWords(d[0], d[1]) + " " + pairWords(d[2], d[3])
}

func small(n int) string {
	if n < 10 {
		return digitWords[n]
	}
	return pairWords(byte('0'+n/10), byte('0'+n%10))
}

func (s *speaker) birth() string {
	y, m, d := 1930+s.IntN(75), 1+s.IntN(12), 1+s.IntN(28)
	if !s.talk {
		return s.pick(fmt.Sprintf("%02d/%02d/%d", m, d, y), fmt.Sprintf("%d-%02d-%02d", y, m, d), fmt.Sprintf("%s %d, %d", titleCase(months[m-1]), d, y), fmt.Sprintf("%d/%d/%02d", m, d, y%100), fmt.Sprintf("%d %s %d", d, titleCase(months[m-1]), y))
	}
	switch s.IntN(5) {
	case 0:
		return months[m-1] + " " + ordinal(d) + " " + s.year(y)
	case 1:
		return "the " + ordinal(d) + " of " + months[m-1] + " " + s.year(y)
	case 2:
		return small(m) + " " + small(d) + " " + s.year(y)
	case 3:
		return months[m-1] + " " + small(d) + " " + s.year(y)
	}
	return small(m) + " slash " + small(d) + " slash " + s.year(y)
}

func titleCase(w string) string { return strings.ToUpper(w[:1]) + w[1:] }

var firstNames = strings.Fields("maria james priya wei fatima carlos olga nkechi siobhan dmitri aisha hiroshi lakshmi pedro ingrid kwame noah emily rajesh sunita tyrone beatriz grace mark rose jasmine")

var lastNames = strings.Fields("hernandez smith patel nguyen okafor kowalski schmidt o'brien rossi yamamoto iyer garcia johnson brown king lee petrov haddad osei lindqvist banerjee fitzgerald moreau castillo young baker")

func (s *speaker) cased(w string) string {
	if s.raw {
		return strings.ToLower(w)
	}
	parts := strings.Fields(w)
	for i := range parts {
		parts[i] = titleCase(parts[i])
	}
	return strings.Join(parts, " ")
}

func (s *speaker) fullName() string {
	n := firstNames[s.IntN(len(firstNames))]
	if s.chance(0.15) {
		n += " " + string(rune('a'+1+s.IntN(7)))
	}
	return s.cased(n + " " + lastNames[s.IntN(len(lastNames))])
}

var streets = strings.Fields("maple oak washington elm lakeview sunset hillcrest jefferson cedar willow magnolia franklin ridgewood harbor")

var towns = strings.Fields("springfield fairview clinton dayton greenville bristol salem georgetown ashland burlington")

func (s *speaker) address() string {
	n := s.number(1 + s.IntN(4))
	if n[0] == '0' {
		n = "4" + n[1:]
	}
	street := s.cased(streets[s.IntN(len(streets))] + " " + s.pick("street", "avenue", "drive", "road", "lane", "court", "boulevard", "way", "place"))
	town, zip := s.cased(towns[s.IntN(len(towns))]), s.number(5)
	state := s.pick("ohio", "texas", "oregon", "georgia", "maine", "north carolina", "california")
	unit := ""
	if s.chance(0.3) {
		unit = " " + s.cased(s.pick("apartment", "apt", "suite", "unit")) + " " + s.pick("4", "12", "b", "2c", "301")
	}
	if s.talk {
		unit = ""
		if s.chance(0.3) {
			unit = " apartment " + s.pick("four", "twelve", "b", "three oh one", "two c")
		}
		num := s.say(n)
		if s.chance(0.3) && len(n) == 3 && n[1:] == "00" {
			num = digitWords[n[0]-'0'] + " hundred"
		}
		out := num + " " + street + unit
		if s.chance(0.7) {
			out += " " + town + " " + s.cased(state) + " " + s.say(zip)
		}
		return out
	}
	out := n + " " + street + unit
	if s.chance(0.7) {
		out += s.pick(", ", " ") + town + s.pick(", ", " ") + s.cased(state) + " " + zip
	}
	if s.raw {
		return strings.ReplaceAll(strings.ToLower(out), ",", "")
	}
	return out
}

func (s *speaker) email() string {
	first, last := firstNames[s.IntN(len(firstNames))], strings.ReplaceAll(lastNames[s.IntN(len(lastNames))], "'", "")
	host := s.pick("gmail.com", "yahoo.com", "outlook.com", "acme-tools.net", "example.org", "icloud.com", "btinternet.co.uk", "hotmail.com")
	sep := s.pick(".", "_", "", "-")
	num := s.pick("", "", "7", "84", "1990")
	if !s.talk {
		return first + sep + last + num + "@" + host
	}
	word := map[string]string{".": " dot ", "_": " underscore ", "-": s.pick(" dash ", " hyphen "), "": " "}
	local := first + word[sep] + last
	if sep == "" && s.chance(0.4) {
		local = strings.Join(strings.Split(first, ""), " ")
	}
	if num != "" {
		local += " " + s.say(num)
	}
	h := strings.ReplaceAll(strings.ReplaceAll(host, ".", " dot "), "-", " dash ")
	return local + " at " + h
}

// form is how a type is asked for, announced and made.
type form struct {
	typ   Type
	asks  []string
	leads []string
	make  func(*speaker) string
	split func(*speaker) []string // the parts of a value that is said over turns
}

func numberForm(t Type, n int, sizes []int, sep string, prefix string) (func(*speaker) string, func(*speaker) []string) {
	value := func(s *speaker) string {
		d := prefix + s.number(n-len(prefix))
		if t == Card {
			d = luhnDigit(d[:n-1])
		}
		if t == Phone {
			d = s.pick("212", "415", "303", "617", "512") + string('2'+byte(s.IntN(8))) + s.number(6)
		}
		return d
	}
	return func(s *speaker) string { return s.code(value(s), sizes, sep) },
		func(s *speaker) []string { return s.groups(value(s), sizes...) }
}

func forms() []form {
	var fs []form
	add := func(t Type, mk func(*speaker) string, split func(*speaker) []string, leads string, asks ...string) {
		fs = append(fs, form{t, asks, strings.Split(leads, "|"), mk, split})
	}
	num := func(t Type, n int, sizes []int, sep, prefix, leads string, asks ...string) {
		mk, split := numberForm(t, n, sizes, sep, prefix)
		add(t, mk, split, leads, asks...)
	}
	num(Phone, 10, []int{3, 3, 4}, "-", "", "it's|my number is|you can call me on|sure it's|yeah it's|the best number is|my cell is|",
		"What's a good number to reach you?", "And the best callback number?", "Can I have a phone number in case we get disconnected?", "What number are you calling from?", "And your mobile?", "Could you give me a contact number please?")
	num(SSN, 9, []int{3, 2, 4}, "-", "53", "it's|my social is|sure|okay it's|my social security number is|",
		"Can I get your social?", "What is your Social Security number?", "I need your full social to verify you.", "And your SSN?")
	num(Card, 16, []int{4, 4, 4, 4}, " ", "4", "it's|the card number is|okay it's|sure it's|the number is|my visa is|",
		"What's the card number?", "Go ahead with the card number whenever you're ready.", "Can you read me the number on the front of the card?", "Which card would you like to use?", "May I have the sixteen digits on your card?")
	num(CVV, 3, []int{3}, "", "", "it's|the code is||", "And the three digit security code on the back?", "What's the CVV?", "And the security code on the back of the card?", "The three digits on the back please?")
	num(BankAccount, 10, []int{3, 3, 4}, "", "", "it's|my account number is|the account is||sure it's", "What's your account number?", "Could you give me the account number you'd like to use?", "And the bank account number?", "Which checking account is this for?")
	num(Routing, 9, []int{3, 3, 3}, "", "", "it's|the routing number is||", "And the routing number?", "What's your bank's routing number?", "Do you have the ABA number?")
	num(PIN, 4, []int{4}, "", "", "it's|my pin is||", "Please tell me your PIN.", "And what's your four digit PIN?", "Can you give me your telephone banking passcode?", "What is the pin code on the account?")
	num(OTP, 6, []int{3, 3}, "", "", "it's|the code is|okay it says|", "I just sent a code to your phone, could you read it to me?", "What's the verification code you received?", "Can you tell me the six digit code we texted you?", "And the one time passcode?")
	add(AccountID, func(s *speaker) string { return s.mixed(s.letters(2) + s.number(6)) }, nil, "it's|the order number is|yeah it's|my confirmation number is||", "Do you have your order number?", "What's the confirmation number?", "Can I get the booking reference?", "What is your policy number?", "And the claim number?", "What's your member ID?", "May I have your reservation code?")
	add(AccountID, func(s *speaker) string {
		v := s.letters(1+s.IntN(3)) + s.number(4+s.IntN(5))
		if !s.talk {
			v = s.pick(v, s.letters(2)+"-"+s.number(5), s.letters(3)+"-"+s.number(4)+"-"+s.number(3), s.number(3)+"-"+s.number(7), s.letters(6), s.number(5)+s.letters(2)+s.number(2))
		} else if s.chance(0.2) {
			v = s.letters(6)
		}
		return s.mixed(v)
	}, nil, "it's|the order number is|i think it's|it's under|it is||my policy number is|the booking code is", "What's the order id?", "Do you have the confirmation code?", "What's the claim number on that?", "Can I have your membership number?", "Which policy is this about? I need the policy number.", "And your account ID?")
	add(AccountID, func(s *speaker) string { return s.mixed(s.number(8)) }, func(s *speaker) []string { return s.groups(s.number(8), 4, 4) }, "it's|the reference is|the case number is|", "What's the case number?", "And the invoice number?", "Could I have your customer number?", "Do you have a tracking number?")
	add(Passport, func(s *speaker) string { return s.mixed(s.letters(1) + s.number(8)) }, nil, "it's|my passport is|the passport number is|", "What's your passport number?", "Can I have the passport number please?")
	add(DriverLicense, func(s *speaker) string { return s.mixed(s.letters(1) + s.number(7)) }, nil, "it's|my license number is||", "What's your driver's license number?", "And the number on your driving licence?", "May I have your license number?")
	add(MedicalRecord, func(s *speaker) string { return s.mixed(s.pick("", s.letters(1), s.letters(2)) + s.number(7)) }, nil, "it's|my medical record number is|the mrn is|", "Do you know your medical record number?", "What's the patient number on your card?", "And your MRN?", "Could you read me your health card number?")
	add(IBAN, func(s *speaker) string { return s.mixed("gb" + s.number(2) + s.letters(4) + s.number(14)) }, nil, "it's|the iban is|", "What's the IBAN?", "Can you read me the IBAN?")
	add(DOB, (*speaker).birth, nil, "it's|i was born on|my date of birth is|my birthday is||sure", "What's your date of birth?", "And when were you born?", "Can you verify your birthday for me?", "Could you confirm your date of birth please?")
	add(CardExpiry, func(s *speaker) string {
		m, y := 1+s.IntN(12), 27+s.IntN(5)
		if !s.talk {
			return fmt.Sprintf("%02d/%d", m, y)
		}
		return s.pick(small(m)+" "+small(y), months[m-1]+" "+s.year(2000+y), small(m)+" slash "+small(y))
	}, nil, "it's|it expires||", "And the expiration date?", "When does it expire?", "What's the expiry on that card?")
	add(Person, (*speaker).fullName, nil, "it's|my name is|this is|yeah it's||sure it's|i'm", "Can I get your name?", "Who am I speaking with?", "May I have your first and last name?", "And what name is the booking under?", "Could you tell me your full name please?", "What's your name?")
	add(Address, (*speaker).address, nil, "it's|i live at|sure it's|my address is||we're at", "What's your address?", "Where should we ship it to?", "Can I have your billing address with the zip?", "What's the address on file?", "Where do you live?")
	add(Email, (*speaker).email, nil, "it's|my email is|sure it's||you can send it to", "What's your email?", "Where can I email the receipt?", "Can I get an email address for the confirmation?", "And your email please?")
	add(Password, func(s *speaker) string {
		return s.pick("hunter two", "bluefish", "sunflower ninety nine", "dragonfly7")
	}, nil, "it's|my password is|", "What's the password on the account?", "Can you tell me your verbal password?")
	add(SecurityAnswer, func(s *speaker) string {
		return s.cased(s.pick("fluffy", "sanders", "whitfield", "rex", "o'malley", "biscuit"))
	}, nil, "it's|it was||", "What's your mother's maiden name?", "What was the name of your first pet?", "For security what was the name of your childhood pet?")
	return fs
}

// neutral is small talk with numbers in it that are nobody's.
var neutral = [][2]string{
	{"How many people will that be?", "there'll be twelve of us"},
	{"What time works for you?", "how about three forty five or four thirty"},
	{"And what is your budget?", "around two thousand five hundred dollars"},
	{"How long have you had the problem?", "for about two or three weeks now"},
	{"Which flight are you on?", "it's flight eleven twenty two to boston"},
	{"How much did they charge you?", "they charged me three hundred and forty nine ninety nine"},
	{"When would you like to come in?", "maybe next tuesday the fourteenth at ten"},
	{"What is the mileage on it?", "about eighty four thousand miles"},
	{"Which size did you want?", "the forty two inch one with two shelves"},
	{"What error do you see?", "it says error five oh three then it restarts"},
	{"Our hours are nine to five Monday through Friday.", "okay great"},
	{"The total comes to $1,284.50 including tax.", "that sounds right"},
	{"You can come any time between 8:30 am and 6 pm.", "i'll come at five fifteen"},
	{"That's a 20 percent discount for 12 months.", "oh nice"},
	{"What temperature is it set to?", "seventy two degrees i think"},
	{"How many did you order?", "i ordered two then three more so five"},
	{"Is there anything else?", "no that's all thank you so much"},
	{"How tall is the unit?", "six foot four by about thirty inches"},
	{"What room are you in?", "i'm in room two fourteen on the second floor"},
	{"Do you want one or two?", "one of the four hundred ones please"},
	{"The appointment is on March 14th at 3 pm.", "perfect see you then"},
	{"Your balance is 2,345 dollars and 12 cents.", "okay good to know"},
	{"How far is it?", "one point five miles or so"},
	{"What year is the car?", "it's a twenty nineteen"},
	{"Which plan do you have?", "the ninety nine dollar one"},
	{"I can offer you 50 gigabytes for 45 a month.", "hmm that's a bit much"},
	{"Please hold for one moment.", "sure"},
	{"Are you calling about the refund?", "yeah i got double charged on the fourth"},
}
