package httpapi

import (
	"net/http"
	"time"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/payment"
)

// decide answers what the rules say about a payment, which need not be complete.
func (a *api) decide(w http.ResponseWriter, r *http.Request) error {
	var req payment.Request
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	decision, err := a.engine.Decide(r.Context(), req)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, decision)
	return nil
}

func (a *api) listBanks(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "method")
	if err != nil {
		return err
	}
	var methods []string
	for _, o := range payment.Operations() {
		methods = append(methods, texts(o.Methods())...)
	}
	method := payment.Method(q.oneOf("method", methods))
	if err := q.err(); err != nil {
		return err
	}
	banks, err := a.engine.Banks(r.Context(), method)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string][]engine.Bank{"banks": banks})
	return nil
}

func (a *api) listProviders(w http.ResponseWriter, r *http.Request) error {
	providers := append([]engine.ProviderStatus{}, a.engine.Providers(r.Context())...)
	writeJSON(w, http.StatusOK, map[string][]engine.ProviderStatus{"providers": providers})
	return nil
}

func (a *api) showRules(w http.ResponseWriter, _ *http.Request) error {
	rules := a.engine.Rules()
	writeJSON(w, http.StatusOK, struct {
		Hash     string    `json:"hash"`
		LoadedAt time.Time `json:"loaded_at"`
		Files    []string  `json:"files"`
	}{rules.Hash(), a.loadedAt, rules.Files()})
	return nil
}
