package main

import (
	"net/url"

	"github.com/cauce-pay/cauce/provider"
)

var schema = provider.Schema{
	{Name: "base_url", Type: provider.URL, Required: true,
		Doc: "root of the host: https://api.paypaga.com, or PayPaga's sandbox, which is https://api.v2.stg.paypaga.com as far as is known"},
	{Name: "client_id", Type: provider.String, Required: true, Doc: "OAuth2 client id of this environment, from PayPaga"},
	{Name: "client_secret", Type: provider.String, Required: true, Secret: true, Doc: "OAuth2 client secret, which PayPaga shows once"},
}

type config struct {
	baseURL      string
	clientID     string
	clientSecret string
}

// readConfig checks the configuration and reports every fault at once.
func readConfig(given provider.Config) (config, error) {
	c, err := schema.Resolve(given)
	if err != nil {
		return config{}, err
	}
	u, err := url.Parse(c["base_url"])
	if err != nil || u.User != nil || u.RawQuery+u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return config{}, &provider.ConfigError{Faults: []provider.ConfigFault{{Name: "base_url", Message: "is the root of the host only, like " +
			"https://api.paypaga.com; the paths below it are the plugin's"}}}
	}
	return config{baseURL: c["base_url"], clientID: c["client_id"], clientSecret: c["client_secret"]}, nil
}
