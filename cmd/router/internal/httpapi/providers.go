package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/payment"
)

func (a *api) listProviders(w http.ResponseWriter, r *http.Request) error {
	providers := append([]engine.ProviderStatus{}, a.engine.Providers(r.Context())...)
	writeJSON(w, http.StatusOK, map[string][]engine.ProviderStatus{"providers": providers})
	return nil
}

// listCodes lists the providers' codes that no plugin has a meaning for.
func (a *api) listCodes(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, map[string][]engine.UnmappedCode{"codes": a.engine.UnmappedCodes()})
	return nil
}

// pauseProvider keeps new payments from a provider.
func (a *api) pauseProvider(w http.ResponseWriter, r *http.Request) error {
	var given struct {
		Reason string `json:"reason"`
	}
	if err := readOptionalJSON(w, r, &given); err != nil {
		return err
	}
	if utf8.RuneCountInString(given.Reason) > maxNote {
		return fieldProblem(payment.FieldError{Field: "reason", Message: fmt.Sprintf("must have at most %d characters", maxNote)})
	}
	return a.changeProvider(w, r, func(ctx context.Context, name string) error { return a.engine.Pause(ctx, name, given.Reason) })
}

func (a *api) resumeProvider(w http.ResponseWriter, r *http.Request) error {
	return a.changeProvider(w, r, a.engine.Resume)
}

// changeProvider answers with the provider as it is after a change.
func (a *api) changeProvider(w http.ResponseWriter, r *http.Request, change func(ctx context.Context, name string) error) error {
	name := r.PathValue("name")
	if err := change(r.Context(), name); err != nil {
		return err
	}
	all := a.engine.Providers(r.Context())
	i := slices.IndexFunc(all, func(p engine.ProviderStatus) bool { return p.Name == name })
	if i < 0 {
		return errNotFound // a reload has taken it away meanwhile
	}
	writeJSON(w, http.StatusOK, all[i])
	return nil
}
