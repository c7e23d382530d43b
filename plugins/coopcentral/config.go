package main

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"strings"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

var schema = provider.Schema{
	{Name: "base_url", Type: provider.URL, Required: true,
		Doc: "root of the host, from Tpaga; https://staging.banking-gateway.tpaga.co is the staging one"},
	{Name: "token", Type: provider.String, Required: true, Secret: true, Doc: "static access token, from Tpaga's operations team"},
	{Name: "auth_scheme", Type: provider.String, Default: "Token", Doc: `word before the token in the Authorization header; "none" sends the token alone`},
	{Name: "origin_account", Type: provider.String, Doc: "token of the account that pays; only where that is an electronic deposit"},
	{Name: "amount_unit", Type: provider.String, Required: true, OneOf: []string{"peso", "cent"},
		Doc: "what one unit of the API's amounts is: ask Tpaga, its documents do not say"},
	{Name: "bank_slugs", Type: provider.String,
		Doc: "slugs of the live list for PSE bank codes where the built-in ones are wrong or missing, like 1007=bancolombia-sa,1051=davibank"},
	{Name: "allow_staging_transfers", Type: provider.Boolean, Default: "false",
		Doc: "let a staging host have transfers without a magic description, which it passes on to the bank as real ones"},
}

// environment is what the host's name says of where transfers go.
type environment int

const (
	production environment = iota
	// staging passes transfers on to the bank too, unless their description is a magic one (CC-06).
	staging
	// local is a simulator on this machine.
	local
)

type config struct {
	baseURL       string
	authorization string // the header's value
	originAccount string
	cents         bool              // one unit of the API is a centavo, not a peso
	slugs         map[string]string // of the banks, by PSE code
	environment   environment
	allowStaging  bool
}

// readConfig checks the configuration and reports every fault at once.
func readConfig(given provider.Config) (config, error) {
	c, err := schema.Resolve(given)
	if err != nil {
		return config{}, err
	}
	u, err := url.Parse(c["base_url"])
	if err != nil || u.User != nil || u.RawQuery != "" || u.Path != "" && u.Path != "/" {
		return config{}, &provider.ConfigError{Faults: []provider.ConfigFault{{Name: "base_url", Message: "is the root of the host only, like " +
			"https://staging.banking-gateway.tpaga.co; the paths below it are the plugin's"}}}
	}
	names, err := readSlugs(c["bank_slugs"])
	if err != nil {
		return config{}, &provider.ConfigError{Faults: []provider.ConfigFault{{Name: "bank_slugs", Message: err.Error()}}}
	}
	out := config{
		slugs:   names,
		baseURL: c["base_url"], authorization: c["auth_scheme"] + " " + c["token"],
		originAccount: c["origin_account"], cents: c["amount_unit"] == "cent",
		environment: environmentOf(u.Hostname()), allowStaging: c.Bool("allow_staging_transfers"),
	}
	if c["auth_scheme"] == "none" {
		out.authorization = c["token"]
	}
	return out, nil
}

// readSlugs returns the built-in slugs with those of text, like 1007=bancolombia-sa,1051=davibank, in place of them.
func readSlugs(text string) (map[string]string, error) {
	merged := maps.Clone(slugs)
	if text == "" {
		return merged, nil
	}
	for pair := range strings.SplitSeq(text, ",") {
		code, slug, _ := strings.Cut(pair, "=")
		code, slug = strings.TrimSpace(code), strings.TrimSpace(slug)
		if !payment.IsBankCode(code) || slug == "" {
			return nil, fmt.Errorf("%.60q is no PSE bank code and slug; write them like 1007=bancolombia-sa,1051=davibank", pair)
		}
		merged[code] = slug
	}
	return merged, nil
}

func environmentOf(host string) environment {
	host = strings.ToLower(host)
	address, err := netip.ParseAddr(host)
	switch {
	case strings.Contains(host, "staging"):
		return staging
	case host == "localhost" || err == nil && address.IsLoopback():
		return local
	}
	return production
}
