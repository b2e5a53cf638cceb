package redact

// Policy says what becomes of each type.
type Policy struct {
	Default     Mode
	Types       map[Type]Mode
	Allow       []string
	Recognizers []Recognizer
}

// Recognizer finds a type of its own.
type Recognizer struct {
	Type    Type
	Cues    []string
	Pattern string
}

func (e *Engine) apply(p *Policy) error {
	e.modes = make([]Mode, len(e.types))
	for k := range e.modes {
		e.modes[k] = p.Default
		if m, ok := p.Types[e.types[k]]; ok {
			e.modes[k] = m
		}
		if e.modes[k] == ModeKeep {
			e.keep |= kind(k).bit()
		}
	}
	return nil
}

func (e *Engine) recognizers() {}
