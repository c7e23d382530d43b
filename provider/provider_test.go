package provider_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	refused := provider.Errorf(provider.CodeInvalid, "bank %s: %w", "9999", cause)
	if refused.Message != "bank 9999: cause" || !errors.Is(refused, cause) || provider.CodeOf(fmt.Errorf("wrapped: %w", refused)) != provider.CodeInvalid {
		t.Errorf("got %+v", refused)
	}
	if got := provider.AsError(cause); got.Code != provider.CodeUnknown || got.Message != "cause" {
		t.Errorf("an error of no code is %+v", got)
	}
	odd := &provider.Error{Code: "surprise", Reference: "r"}
	if got := provider.AsError(odd); got.Code != provider.CodeUnknown || got.Reference != "r" || odd.Code != "surprise" {
		t.Errorf("an unknown code is %+v", got)
	}
	var none *provider.Error
	if got := provider.AsError(none); got == nil || got.Code != provider.CodeUnknown || got.Message == "" {
		t.Errorf("a nil *Error in an error is %+v", got)
	}
	if provider.AsError(nil) != nil || provider.CodeOf(nil) != "" {
		t.Error("no error is an error")
	}
	if text := (&provider.Error{Code: provider.CodeDeclined, Message: "no", ProviderCode: "84"}).Error(); text != "provider: declined: no (84)" {
		t.Errorf("it reads %q", text)
	}
}

var schema = provider.Schema{
	{Name: "base_url", Type: provider.URL, Required: true, Doc: "root of the API"},
	{Name: "secret", Type: provider.String, Required: true, Secret: true, OneOf: []string{"good"}, Doc: "the secret"},
	{Name: "minutes", Type: provider.Integer, Default: "30", Doc: "until it expires"},
	{Name: "lenient", Type: provider.Boolean, Default: "false", Doc: "whether"},
	{Name: "max", Type: provider.Amount, Default: "40000000", Doc: "the most"},
}

func TestResolve(t *testing.T) {
	t.Parallel()
	c, err := schema.Resolve(provider.Config{"base_url": "https://api.example", "secret": "good", "minutes": "45"})
	if err != nil || c.Int("minutes") != 45 || c.Bool("lenient") || c.Money("max") != payment.Pesos(40_000_000) {
		t.Errorf("got %v, %v", c, err)
	}
	if secrets := schema.Secrets(c); len(secrets) != 1 || secrets[0] != "good" {
		t.Errorf("secrets %v", secrets)
	}
	good := provider.Config{"base_url": "https://api.example", "secret": "good"}
	cases := []struct {
		name   string
		change provider.Config // over what is good
		faults []string        // the attributes at fault
	}{
		{"what is good", nil, nil},
		{"empty is absent", provider.Config{"minutes": "", "lenient": "", "max": ""}, nil},
		{"other values", provider.Config{"minutes": "-5", "lenient": "true", "max": "0.50", "base_url": "http://127.0.0.1:8090/v1"}, nil},
		{"a fraction", provider.Config{"minutes": "1.5"}, []string{"minutes"}},
		{"a third decimal", provider.Config{"max": "1.234"}, []string{"max"}},
		{"another scheme", provider.Config{"base_url": "ftp://api.example"}, []string{"base_url"}},
		{"a URL without a host", provider.Config{"base_url": "https://:443"}, []string{"base_url"}},
		{"not one of", provider.Config{"secret": "Good"}, []string{"secret"}},
		{"every fault at once, the unknown first", provider.Config{
			"base_url": "", "secret": "hunter2", "minutes": "soon", "lenient": "yes", "max": "1e9", "shape": "round", "colour": "red",
		}, []string{"colour", "shape", "base_url", "secret", "minutes", "lenient", "max"}},
	}
	for _, tc := range cases {
		config := maps.Clone(good)
		maps.Copy(config, tc.change)
		got, err := schema.Resolve(config)
		var names []string
		var invalid *provider.ConfigError
		if errors.As(err, &invalid) {
			for _, f := range invalid.Faults {
				names = append(names, f.Name)
			}
		}
		if !slices.Equal(names, tc.faults) || (got == nil) != (err != nil) {
			t.Errorf("%s: got %v, %v", tc.name, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells a secret: %v", tc.name, err)
		}
	}
	if _, err := schema.Resolve(provider.Config{"secret": "good", "minutes": "soon"}); !strings.Contains(err.Error(), `"soon"`) ||
		!strings.Contains(err.Error(), "root of the API") {
		t.Errorf("the error tells neither what was wrong nor what is missing: %v", err)
	}
}

func TestInfoValidate(t *testing.T) {
	t.Parallel()
	good := providertest.New("acme").Info()
	if err := good.Validate(); err != nil {
		t.Errorf("a good Info: %v", err)
	}
	bad := provider.Info{
		Capabilities: []payment.Capability{{
			Operation: payment.PayOut, Method: payment.PSE, Decimals: 1, Required: []string{"payer.mail"},
			Limits: []payment.FieldLimit{{Field: "payer.name", Pattern: "("}, {Field: "nothing"}},
		}},
		Config: provider.Schema{{Name: "a", Type: "colour"}, {Name: "a", Type: provider.Integer, Default: "x"}},
	}
	err := bad.Validate()
	for _, part := range []string{"name and version", "unknown operation or method", "no currency", "decimals", "payer.mail", "pattern", `"nothing"`, "colour", "named twice", "default"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
	if err := (provider.Info{Name: "a", Version: "1"}).Validate(); err == nil {
		t.Error("an Info without operations is fine")
	}
}

// An ability is there when Info declares it and the type has it: over a wire every method exists.
func TestAbilities(t *testing.T) {
	t.Parallel()
	p := providertest.New("acme") // has Banks as a method, and does not declare it
	if _, ok := provider.WithBanks(p); ok {
		t.Error("an ability that Info does not declare is there")
	}
	p.SetBanks(provider.Bank{Code: "1022", Name: "BANCO UNION"})
	if b, ok := provider.WithBanks(p); !ok {
		t.Error("a declared ability is not there")
	} else if banks, err := b.Banks(context.Background(), payment.PSE); err != nil || len(banks) != 1 {
		t.Errorf("got %v, %v", banks, err)
	}
	p.SetInfo(func(i *provider.Info) { i.Abilities = append(i.Abilities, provider.Statements) })
	if _, ok := provider.WithStatement(struct{ provider.Provider }{p}); ok {
		t.Error("an ability without its method is there")
	}
}
