package httpapi

import (
	"net/http"

	"github.com/cauce-pay/cauce/provider"
)

// notify takes a provider's webhook and answers as soon as it is durable: 200 and nothing, as the providers want
// it. The secret in the path is the only key to it and goes no further.
func (a *api) notify(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(w, r, maxNotification)
	if err != nil {
		return err
	}
	name := r.PathValue("provider")
	err = a.engine.Notify(r.Context(), name, r.PathValue("secret"), provider.Notification{
		Method: r.Method, Path: "/v1/notifications/" + name, Header: r.Header, Body: body,
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
