// Package oauth keeps an OAuth2 client-credentials token for one provider account: fetched once for any number
// of concurrent callers, kept until shortly before it expires, replaced once when the provider refuses it, and
// revoked in the end where the provider can.
package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

const (
	// fetchTimeout bounds one token request. It is not tied to any caller: those who wait for it share it.
	fetchTimeout = 15 * time.Second
	// maxMargin is how long before its expiry a token is replaced at the earliest; short-lived tokens are
	// replaced in the last tenth of their life.
	maxMargin = 30 * time.Second
)

// Config says how tokens are had. ClientID, ClientSecret, TokenPath and Style are required.
type Config struct {
	ClientID     string
	ClientSecret string
	TokenPath    string // below the client's base URL
	// Style says where the credentials go: oauth2.AuthStyleInHeader or oauth2.AuthStyleInParams. It is never
	// guessed, because guessing costs a refused request.
	Style oauth2.AuthStyle
	// RevokePath is where Close revokes the token, with the credentials in the form; "" = the provider cannot.
	RevokePath string
	// Now tells the time; nil = time.Now.
	Now func() time.Time
}

// Tokens is the token of one account. It is safe for concurrent use.
type Tokens struct {
	api    *rest.Client
	config Config
	fetch  clientcredentials.Config
	ctx    context.Context // of every fetch; ended by Close
	stop   context.CancelFunc

	mu      sync.Mutex
	token   string
	until   time.Time // when token is to be replaced; zero = not before it is refused
	waiting *flight   // the fetch under way, if any
}

// flight is one token request and those who wait for it.
type flight struct {
	done  chan struct{} // closed when token and err are set
	token string
	err   error
}

// New returns the tokens of one account at the provider that api calls. It makes no request.
func New(api *rest.Client, c Config) *Tokens {
	if c.Now == nil {
		c.Now = time.Now
	}
	t := &Tokens{api: api, config: c, fetch: clientcredentials.Config{
		ClientID: c.ClientID, ClientSecret: c.ClientSecret, TokenURL: api.URL(c.TokenPath), AuthStyle: c.Style,
	}}
	plain := *api.HTTP()
	plain.Transport = &asDocumented{api.HTTP().Transport, c}
	t.ctx, t.stop = context.WithCancel(context.WithValue(context.Background(), oauth2.HTTPClient, &plain))
	return t
}

// asDocumented makes token requests as the providers document them where the oauth2 package does otherwise: the
// credentials in the header are the plain ones, which it would escape first, and the answer is JSON whatever its
// Content-Type, of which it would take text/plain for a form.
type asDocumented struct {
	next   http.RoundTripper
	config Config
}

func (a *asDocumented) RoundTrip(req *http.Request) (*http.Response, error) {
	if a.config.Style == oauth2.AuthStyleInHeader {
		req = req.Clone(req.Context())
		req.SetBasicAuth(a.config.ClientID, a.config.ClientSecret)
	}
	resp, err := a.next.RoundTrip(req)
	if err == nil {
		resp.Header.Set("Content-Type", "application/json")
	}
	return resp, err
}

// Do makes a call with the account's token. When the provider answers 401, the token is replaced and the
// identical call is made once more; a second 401 is returned as the answer.
//
// An error about the token itself is CodeUnauthorized or CodeUnavailable: the call it was for was not made, or
// was refused with 401.
func (t *Tokens) Do(ctx context.Context, r rest.Request) (*rest.Response, error) {
	refused := ""
	for {
		token, err := t.get(ctx, refused)
		if err != nil {
			return nil, err
		}
		r.Header = r.Header.Clone()
		if r.Header == nil {
			r.Header = http.Header{}
		}
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := t.api.Do(ctx, r)
		if err != nil || resp.Status != http.StatusUnauthorized || refused != "" {
			return resp, err
		}
		refused = token
	}
}

// get returns a token that is neither about to expire nor the refused one.
func (t *Tokens) get(ctx context.Context, refused string) (string, error) {
	if t.ctx.Err() != nil {
		return "", errClosed
	}
	t.mu.Lock()
	if t.token != "" && t.token != refused && (t.until.IsZero() || t.config.Now().Before(t.until)) {
		defer t.mu.Unlock()
		return t.token, nil
	}
	f := t.waiting
	if f == nil {
		f = &flight{done: make(chan struct{})}
		t.waiting = f
		go t.run(f)
	}
	t.mu.Unlock()
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return "", &provider.Error{
			Code: provider.CodeUnavailable, Message: "the time for the call was over before there was a token; nothing was sent", Err: ctx.Err(),
		}
	}
}

// run makes one token request for all who wait for f.
func (t *Tokens) run(f *flight) {
	ctx, cancel := context.WithTimeout(t.ctx, fetchTimeout)
	defer cancel()
	token, err := t.fetch.Token(ctx)

	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = nil
	if err != nil {
		f.err = t.explain(err)
	} else {
		t.token, t.until = token.AccessToken, time.Time{}
		if !token.Expiry.IsZero() {
			life := time.Until(token.Expiry)
			t.until = t.config.Now().Add(life - min(maxMargin, life/10))
		}
		f.token = t.token
	}
	close(f.done)
}

var errClosed error = provider.Errorf(provider.CodeUnavailable, "the provider was closed; nothing was sent")

// explain turns what the oauth2 package says into an error without the answer's text, which could repeat the
// credentials.
func (t *Tokens) explain(err error) error {
	if t.ctx.Err() != nil {
		return errClosed
	}
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return t.refusal(refused.Response.StatusCode)
	}
	e := provider.Errorf(provider.CodeUnavailable, "no token could be had: the answer of the token endpoint holds none")
	var lost *provider.Error
	if errors.As(err, &lost) {
		e.Message, e.Err = "no token could be had: "+lost.Message, lost.Err
	}
	return e
}

func (t *Tokens) refusal(status int) error {
	e := provider.Errorf(provider.CodeUnavailable, "no token could be had: %s answered %d", t.config.TokenPath, status)
	e.ProviderCode = fmt.Sprintf("%d token", status)
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		e.Code = provider.CodeUnauthorized
		e.Message += "; client_id or client_secret is wrong, or of another environment than base_url"
	case http.StatusNotFound:
		e.Message += "; is base_url right?"
	}
	return e
}

// Close gives up a token request under way and revokes the token, where the provider can. A token that the
// provider does not know (any more) counts as revoked. Calls made after Close fail with CodeUnavailable.
func (t *Tokens) Close(ctx context.Context) error {
	t.stop()
	t.mu.Lock()
	f := t.waiting
	t.mu.Unlock()
	if f != nil {
		<-f.done // soon: its context has ended
	}
	t.mu.Lock()
	token := t.token
	t.token = ""
	t.mu.Unlock()
	if token == "" || t.config.RevokePath == "" {
		return nil
	}
	resp, err := t.api.Do(ctx, rest.Request{Method: http.MethodPost, Path: t.config.RevokePath, Form: url.Values{
		"token": {token}, "client_id": {t.config.ClientID}, "client_secret": {t.config.ClientSecret},
	}})
	if err != nil {
		return err
	}
	if resp.Status/100 != 2 && resp.Status != http.StatusNotFound {
		return provider.Errorf(provider.CodeUnavailable,
			"the token was not revoked and stays good until it expires: %s answered %d", t.config.RevokePath, resp.Status)
	}
	return nil
}
