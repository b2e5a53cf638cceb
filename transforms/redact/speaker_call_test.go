package redact

import "strings"

func (s *speaker) user(p ...piece) talkTurn  { return talkTurn{"user", p} }
func (s *speaker) agent(p ...piece) talkTurn { return talkTurn{"agent", p} }

func text(t string) piece { return piece{text: t} }

// exchange asks for a value and gives it.
func (s *speaker) exchange(f *form) []talkTurn {
	if (f.typ == AccountID || f.typ == Phone) && s.chance(0.15) {
		v := f.make(s)
		if f.typ == Phone {
			return []talkTurn{s.agent(text(s.pick("You can reach them at ", "Their number is ", "The phone number is ")), piece{v, f.typ}, text("."))}
		}
		return []talkTurn{s.agent(text(s.pick("Your confirmation number is ", "Okay, your reference number is ", "The booking reference is ", "I've created case number ")), piece{v, f.typ}, text(".")), s.user(text("thank you"))}
	}
	out := []talkTurn{s.agent(text(f.asks[s.IntN(len(f.asks))]))}
	lead := f.leads[s.IntN(len(f.leads))]
	if s.chance(0.2) {
		lead = s.pick("yeah ", "um ", "okay ", "sure ", "uh ") + lead
	}
	if f.split != nil && s.talk && s.chance(0.35) {
		return append(out, s.parts(f, lead)...)
	}
	v := f.make(s)
	ps := []piece{}
	if lead = strings.TrimSpace(lead); lead != "" {
		ps = append(ps, text(lead+" "))
	}
	ps = append(ps, piece{v, f.typ})
	if s.chance(0.15) {
		ps = append(ps, text(s.pick(" thanks", " i think", " okay", " please")))
	}
	out = append(out, s.user(ps...))
	if s.chance(0.3) {
		out = append(out, s.agent(text(s.pick("Okay, I have ", "So that's ", "Let me repeat that, ", "Got it, ")), piece{v, f.typ}, text(s.pick(", is that right?", ", correct?", "."))), s.user(text(s.pick("yes", "that's right", "correct", "yep"))))
	} else if s.chance(0.5) {
		out = append(out, s.agent(text(s.pick("Thank you.", "Great, thanks.", "Okay.", "Perfect, one moment."))))
	}
	return out
}

// parts gives a value over several turns, which the agent acknowledges, says again or mishears.
func (s *speaker) parts(f *form, lead string) []talkTurn {
	var out []talkTurn
	parts := f.split(s)
	for i, p := range parts {
		v := s.say(p)
		ps := []piece{{v, f.typ}}
		if i == 0 && lead != "" {
			ps = []piece{text(lead + " "), ps[0]}
		} else if i > 0 && s.chance(0.3) {
			ps = []piece{text(s.pick("then ", "and then ", "uh ", "and ")), ps[0]}
		}
		out = append(out, s.user(ps...))
		switch s.IntN(5) {
		case 0:
			out = append(out, s.agent(piece{p, f.typ}, text(s.pick(", okay", " mm-hmm", ", go on"))))
		case 1:
			if len(p) > 2 {
				wrong := p[:len(p)-1] + string('0'+(p[len(p)-1]-'0'+1)%10)
				out = append(out, s.agent(piece{wrong, "IGNORE"}, text("?")), s.user(text(s.pick("no, ", "sorry, ", "no no it's ", "no sorry ")), piece{v, f.typ}))
			}
			out = append(out, s.agent(text(s.pick("Okay.", "Got it, go ahead."))))
		default:
			out = append(out, s.agent(text(s.pick("Mm-hmm.", "Okay.", "Go on.", "Yes, continue.", "Got it."))))
		}
	}
	return out
}

// call makes a call of some exchanges, and small talk in between.
func (s *speaker) call(fs []form) []talkTurn {
	s.raw, s.bad, s.talk = s.chance(0.5), false, s.chance(0.7)
	if s.raw && s.talk {
		s.bad = s.chance(0.6)
	}
	out := []talkTurn{s.agent(text("Thank you for calling, how can I help you?")), s.user(text(s.pick("hi i have a question about my bill", "i'd like to change something", "hello i need some help with my account", "i want to make an appointment")))}
	for range 2 + s.IntN(4) {
		if s.chance(0.45) {
			n := neutral[s.IntN(len(neutral))]
			out = append(out, s.agent(text(n[0])), s.user(text(n[1])))
		} else {
			out = append(out, s.exchange(&fs[s.IntN(len(fs))])...)
		}
	}
	out = append(out, s.agent(text("Is there anything else I can help you with?")), s.user(text(s.pick("no that's it", "that's all thanks", "nope bye"))))
	if s.raw {
		for i := range out {
			for j := range out[i].pieces {
				p := &out[i].pieces[j]
				p.text = rawText(p.text)
			}
		}
	}
	return out
}

func rawText(t string) string {
	t = strings.ToLower(t)
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(",?!", r) {
			return -1
		}
		return r
	}, strings.TrimSuffix(t, "."))
}
