package sandbox

import (
	"fmt"
	"slices"
)

// Mode is a choice of how the provider behaves where its documents contradict themselves or say nothing. It is
// set by POST /_sandbox/mode, and back at its default after a reset.
type Mode struct {
	Name    string
	Doc     string // one line
	Default string
	OneOf   []string                 // the values it takes; nil = those that Check takes
	Check   func(value string) error // nil = any value, or OneOf's
}

func (m Mode) check(value string) error {
	if m.OneOf != nil && !slices.Contains(m.OneOf, value) {
		return fmt.Errorf("%.80q is no value of mode %s; it is one of %s", value, m.Name, list(m.OneOf))
	}
	if m.Check != nil {
		if err := m.Check(value); err != nil {
			return fmt.Errorf("%.80q is no value of mode %s: %w", value, m.Name, err)
		}
	}
	return nil
}

// modeState is a mode as GET /_sandbox/mode shows it.
type modeState struct {
	Name    string   `json:"name"`
	Value   string   `json:"value"`
	Default string   `json:"default"`
	OneOf   []string `json:"one_of,omitempty"`
	Doc     string   `json:"doc"`
}

func (s *Sandbox[T]) modeStates() []modeState {
	states := make([]modeState, 0, len(s.options.Modes))
	for _, m := range s.options.Modes {
		states = append(states, modeState{m.Name, s.mode(m.Name), m.Default, m.OneOf, m.Doc})
	}
	return states
}

// mode returns a mode's value. It panics for a mode that Options does not declare.
func (s *Sandbox[T]) mode(name string) string {
	m, ok := s.modeNamed(name)
	if !ok {
		panic(fmt.Sprintf("sandbox: mode %q is not declared", name))
	}
	if value, ok := s.settings.Modes[name]; ok {
		return value
	}
	return m.Default
}

func (s *Sandbox[T]) modeNamed(name string) (Mode, bool) {
	i := slices.IndexFunc(s.options.Modes, func(m Mode) bool { return m.Name == name })
	if i < 0 {
		return Mode{}, false
	}
	return s.options.Modes[i], true
}
