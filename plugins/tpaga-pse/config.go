package main

import (
	"net/url"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// Tpaga agrees the limits with each merchant; these are those of its document.
const (
	defaultMinAmount = "1000"
	defaultMaxAmount = "40000000"
)

var schema = provider.Schema{
	{Name: "base_url", Type: provider.URL, Required: true,
		Doc: "root of the host: https://production.apiv2.tpaga.co or https://staging.apiv2.tpaga.co"},
	{Name: "client_id", Type: provider.String, Required: true, Doc: "OAuth2 client id, from Tpaga"},
	{Name: "client_secret", Type: provider.String, Required: true, Secret: true, Doc: "OAuth2 client secret, from Tpaga"},
	{Name: "min_amount", Type: provider.Amount, Default: defaultMinAmount, Doc: "least amount that the merchant's contract allows, in pesos"},
	{Name: "max_amount", Type: provider.Amount, Default: defaultMaxAmount, Doc: "greatest amount that the merchant's contract allows, in pesos"},
}

type config struct {
	baseURL      string
	clientID     string
	clientSecret string
	minAmount    payment.Money
	maxAmount    payment.Money
}

// readConfig checks the configuration and reports every fault at once.
func readConfig(given provider.Config) (config, error) {
	c, err := schema.Resolve(given)
	if err != nil {
		return config{}, err
	}
	out := config{
		baseURL: c["base_url"], clientID: c["client_id"], clientSecret: c["client_secret"],
		minAmount: c.Money("min_amount"), maxAmount: c.Money("max_amount"),
	}
	var faults []provider.ConfigFault
	if u, err := url.Parse(out.baseURL); err != nil || u.User != nil || u.RawQuery+u.Fragment != "" || u.Path != "" && u.Path != "/" {
		faults = append(faults, provider.ConfigFault{Name: "base_url", Message: "is the root of the host only, like " +
			"https://production.apiv2.tpaga.co; the paths below it are the plugin's"})
	}
	if out.minAmount.Minor() < 0 {
		faults = append(faults, provider.ConfigFault{Name: "min_amount", Message: "is negative"})
	}
	if out.maxAmount.Cmp(out.minAmount) < 0 {
		faults = append(faults, provider.ConfigFault{Name: "max_amount", Message: "is less than min_amount"})
	}
	if len(faults) > 0 {
		return config{}, &provider.ConfigError{Faults: faults}
	}
	return out, nil
}
