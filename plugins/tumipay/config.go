package main

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// maxExpiration bounds expiration_minutes: 30 days.
const maxExpiration = 30 * 24 * 60

// TumiPay agrees the limits with each merchant; the defaults are those of its document.
var schema = provider.Schema{
	{Name: "base_url", Type: provider.URL, Required: true,
		Doc: "base of the API, from TumiPay: https://api-empresas.staging.tumipay.co/production/api is the staging one; a missing /api at its end is added"},
	{Name: "username", Type: provider.String, Required: true, Doc: "user of the Basic authentication, from TumiPay"},
	{Name: "password", Type: provider.String, Required: true, Secret: true, Doc: "password of the Basic authentication, from TumiPay"},
	{Name: "token_top", Type: provider.String, Required: true, Secret: true, Doc: "the merchant's token, sent as Token-Top; webhooks are signed with it"},
	{Name: "amount_unit", Type: provider.String, Required: true, OneOf: []string{"cent", "peso"},
		Doc: "what one unit of the API's amounts is: ask TumiPay, its documents say cents and contradict it"},
	{Name: "api_version", Type: provider.String, Default: "v1", OneOf: []string{"v1", "v2"}, Doc: "version of the call that makes a pay-in; newer documents call v1 deprecated"},
	{Name: "expiration_minutes", Type: provider.Integer, Default: "30", Doc: "how long a payer may open the payment page, in minutes, 1 to 43200"},
	{Name: "pse_min_amount", Type: provider.Amount, Default: "2000", Doc: "least amount by pse that the merchant's contract allows, in pesos"},
	{Name: "efecty_min_amount", Type: provider.Amount, Default: "10000", Doc: "least amount by efecty that the merchant's contract allows, in pesos"},
	{Name: "max_amount", Type: provider.Amount, Default: "2000000", Doc: "greatest amount that the merchant's contract allows, in pesos"},
}

type config struct {
	apiURL     string // base_url, with exactly one /api at its end
	username   string
	password   string
	tokenTop   string
	cents      bool // one unit of the API is a centavo, not a peso
	version    string
	expiration time.Duration
	pseMin     payment.Money
	efectyMin  payment.Money
	max        payment.Money
}

// defaults is the configuration as far as it has defaults.
func defaults() config {
	c := provider.Config{}
	for _, f := range schema {
		c[f.Name] = f.Default
	}
	return configOf(c)
}

func configOf(c provider.Config) config {
	// The documents' paths begin with /api, and their base URLs end with it (TM-03).
	base := strings.TrimSuffix(strings.TrimRight(c["base_url"], "/"), "/api")
	return config{
		apiURL:   strings.TrimRight(base, "/") + "/api",
		username: c["username"], password: c["password"], tokenTop: c["token_top"],
		cents: c["amount_unit"] == "cent", version: c["api_version"],
		expiration: time.Duration(c.Int("expiration_minutes")) * time.Minute,
		pseMin:     c.Money("pse_min_amount"), efectyMin: c.Money("efecty_min_amount"), max: c.Money("max_amount"),
	}
}

// versioned is a base URL that holds a version of the API, or its /api twice: paths below it would not exist.
var versioned = regexp.MustCompile(`/v[0-9]+(/|$)|/api/api/?$`)

// readConfig checks the configuration and reports every fault at once.
func readConfig(given provider.Config) (config, error) {
	c, err := schema.Resolve(given)
	if err != nil {
		return config{}, err
	}
	var faults []provider.ConfigFault
	fault := func(name, format string, args ...any) {
		faults = append(faults, provider.ConfigFault{Name: name, Message: fmt.Sprintf(format, args...)})
	}
	u, err := url.Parse(c["base_url"])
	if err != nil || u.User != nil || u.RawQuery+u.Fragment != "" || versioned.MatchString(u.Path) {
		fault("base_url", "ends before the API's version, like https://api-empresas.staging.tumipay.co/production/api; the paths below it are the plugin's")
	}
	if strings.Contains(c["username"], ":") {
		fault("username", "has a colon, which Basic authentication cannot carry")
	}
	if strings.ContainsFunc(c["token_top"], func(r rune) bool { return r < ' ' || r > '~' }) {
		fault("token_top", "has a character that no HTTP header carries, perhaps a line break at its end")
	}
	if n := c.Int("expiration_minutes"); n < 1 || n > maxExpiration {
		fault("expiration_minutes", "is %d; it is 1 to %d", n, maxExpiration)
	}
	for _, name := range []string{"pse_min_amount", "efecty_min_amount"} {
		if c.Money(name).Minor() < 0 {
			fault(name, "is negative")
		}
		if c.Money("max_amount").Cmp(c.Money(name)) < 0 {
			fault("max_amount", "is less than %s", name)
		}
	}
	if len(faults) > 0 {
		return config{}, &provider.ConfigError{Faults: faults}
	}
	return configOf(c), nil
}
