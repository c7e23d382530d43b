package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
)

func (a *api) showRules(w http.ResponseWriter, _ *http.Request) error {
	a.writeRules(w)
	return nil
}

func (a *api) writeRules(w http.ResponseWriter) {
	rules := a.engine.Rules()
	writeJSON(w, http.StatusOK, struct {
		Hash     string              `json:"hash"`
		LoadedAt time.Time           `json:"loaded_at"`
		Files    []string            `json:"files"`
		Warnings routing.Diagnostics `json:"warnings"`
	}{rules.Hash(), a.engine.RulesLoadedAt(), rules.Files(), append(routing.Diagnostics{}, a.engine.RulesWarnings()...)})
}

// reload reads the rules anew. A caller that says which rules it expects changes no others.
func (a *api) reload(w http.ResponseWriter, r *http.Request) error {
	var given struct {
		Expected string `json:"expected"`
	}
	if err := readOptionalJSON(w, r, &given); err != nil {
		return err
	}
	err := a.engine.ReloadFrom(r.Context(), given.Expected)
	switch {
	case err == nil:
		a.writeRules(w)
		return nil
	case errors.Is(err, engine.ErrRulesChanged):
		return newProblem(http.StatusConflict, "rules_changed", "the rules in force are not the expected ones; GET /v1/rules tells their hash")
	case errors.Is(err, engine.ErrClosed):
		return err
	}
	p := newProblem(http.StatusUnprocessableEntity, "rules_invalid", "the new rules cannot be put into force; those in force stay")
	if !errors.As(err, &p.Diagnostics) {
		p.Detail += fmt.Sprintf(": %v", err)
	}
	return p
}

// listRules lists which rules came into force, the newest first.
func (a *api) listRules(w http.ResponseWriter, r *http.Request) error {
	history, err := a.engine.RulesHistory(r.Context())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"rules": append([]engine.RulesVersion{}, history...)})
	return nil
}

func (a *api) showRulesText(w http.ResponseWriter, r *http.Request) error {
	text, err := a.engine.RulesText(r.Context(), r.PathValue("hash"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, text)
	return nil
}

// showShadow tells what other rules would have decided.
func (a *api) showShadow(w http.ResponseWriter, _ *http.Request) error {
	shadow, err := a.engine.Shadow()
	if errors.Is(err, engine.ErrNotFound) {
		return newProblem(http.StatusNotFound, "not_found", "no rules are in the shadow: the server block of the rules names them, shadow = \"next.hcl\"; a reload takes it up")
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, shadow)
	return nil
}
