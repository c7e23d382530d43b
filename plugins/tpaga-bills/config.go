package main

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/cauce-pay/cauce/provider"
)

var schema = provider.Schema{
	{Name: "base_url", Type: provider.URL, Required: true,
		Doc: "root of the host: https://production.apiv2.tpaga.co or https://staging.apiv2.tpaga.co"},
	{Name: "client_id", Type: provider.String, Required: true, Doc: "OAuth2 client id, from Tpaga"},
	{Name: "client_secret", Type: provider.String, Required: true, Secret: true, Doc: "OAuth2 client secret, from Tpaga; or the api-key, see auth"},
	{Name: "payment_origin", Type: provider.String, Default: "CAUCE", Doc: "name of the system that pays, at most 64 characters; Tpaga shows it beside each payment"},
	{Name: "allow_unqueried", Type: provider.Boolean, Default: "false",
		Doc: "pay bills of agreements that cannot be queried, with the amount that the caller gives and nothing to compare it with"},
	{Name: "auth", Type: provider.String, Default: authOAuth2, OneOf: []string{authOAuth2, authAPIKey},
		Doc: "api_key sends client_secret as an older account's api-key, and no client_id"},
}

// The values of auth (TB-13).
const (
	authOAuth2 = "oauth2"
	authAPIKey = "api_key"
)

const maxPaymentOrigin = 64

type config struct {
	baseURL        string
	clientID       string
	clientSecret   string
	apiKey         bool // clientSecret is an api-key
	paymentOrigin  string
	allowUnqueried bool
	production     bool // bills are real
}

// readConfig checks the configuration and reports every fault at once.
func readConfig(given provider.Config) (config, error) {
	c, err := schema.Resolve(given)
	if err != nil {
		return config{}, err
	}
	out := config{
		baseURL: c["base_url"], clientID: c["client_id"], clientSecret: c["client_secret"], apiKey: c["auth"] == authAPIKey,
		paymentOrigin: c["payment_origin"], allowUnqueried: c.Bool("allow_unqueried"),
	}
	var faults []provider.ConfigFault
	u, err := url.Parse(out.baseURL)
	if err != nil || u.User != nil || u.RawQuery+u.Fragment != "" || u.Path != "" && u.Path != "/" {
		faults = append(faults, provider.ConfigFault{Name: "base_url", Message: "is the root of the host only, like " +
			"https://production.apiv2.tpaga.co; the paths below it are the plugin's"})
	}
	if utf8.RuneCountInString(out.paymentOrigin) > maxPaymentOrigin {
		faults = append(faults, provider.ConfigFault{Name: "payment_origin", Message: "is longer than 64 characters"})
	}
	if len(faults) > 0 {
		return config{}, &provider.ConfigError{Faults: faults}
	}
	out.production = isProduction(u.Hostname())
	return out, nil
}

// isProduction reports whether bills paid at that host are real: it is neither Tpaga's staging nor a simulator on
// this machine.
func isProduction(host string) bool {
	host = strings.ToLower(host)
	address, err := netip.ParseAddr(host)
	return !strings.Contains(host, "staging") && host != "localhost" && (err != nil || !address.IsLoopback())
}
