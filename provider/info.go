package provider

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/cauce-pay/cauce/payment"
)

// Ability is something only some providers can do.
type Ability string

// The abilities.
const (
	Notifications Ability = "notifications"
	Banks         Ability = "banks"
	Bills         Ability = "bills"
	BalanceOf     Ability = "balance"
	Statements    Ability = "statement"
)

// Info describes a provider. Its JSON form is what `<plugin> describe` prints.
type Info struct {
	Name         string               `json:"name"`    // the plugin's name: "tpaga-pse"
	Version      string               `json:"version"` // the plugin's version
	Capabilities []payment.Capability `json:"capabilities"`
	Abilities    []Ability            `json:"abilities"`
	Config       Schema               `json:"config"`
	// KeyRetention is how long the provider remembers a key; 0 = not known.
	KeyRetention payment.Duration `json:"key_retention"`
	// Assumptions are what the provider's documents leave open and the plugin had to assume, one line each.
	Assumptions []string `json:"assumptions,omitempty"`
}

// Has reports whether the provider declares ability a.
func (i Info) Has(a Ability) bool { return slices.Contains(i.Abilities, a) }

// Validate reports every fault of an Info at once.
func (i Info) Validate() error {
	var errs []error
	if i.Name == "" || i.Version == "" {
		errs = append(errs, errors.New("name and version are required"))
	}
	if len(i.Capabilities) == 0 {
		errs = append(errs, errors.New("it declares no operation"))
	}
	for _, c := range i.Capabilities {
		at := fmt.Sprintf("%s by %s", c.Operation, c.Method)
		if !slices.Contains(c.Operation.Methods(), c.Method) {
			errs = append(errs, fmt.Errorf("%s: unknown operation or method", at))
		}
		if len(c.Currencies) == 0 {
			errs = append(errs, fmt.Errorf("%s: it declares no currency", at))
		}
		if c.Decimals != 0 && c.Decimals != 2 {
			errs = append(errs, fmt.Errorf("%s: decimals are %d, must be 0 or 2", at, c.Decimals))
		}
		for _, path := range c.Required {
			if _, ok := payment.FieldByPath(path); !ok {
				errs = append(errs, fmt.Errorf("%s: required field %q does not exist", at, path))
			}
		}
		for _, l := range c.Limits {
			if _, ok := payment.FieldByPath(l.Field); !ok {
				errs = append(errs, fmt.Errorf("%s: limited field %q does not exist", at, l.Field))
			}
			if _, err := regexp.Compile(l.Pattern); err != nil {
				errs = append(errs, fmt.Errorf("%s: pattern of %s: %w", at, l.Field, err))
			}
		}
	}
	errs = append(errs, i.Config.validate())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("provider: info of %q: %w", i.Name, err)
	}
	return nil
}

// WithNotifications returns p's notifications, if Info declares them.
func WithNotifications(p Provider) (ProviderWithNotifications, bool) {
	return with[ProviderWithNotifications](p, Notifications)
}

// WithBanks returns p's list of banks, if Info declares one.
func WithBanks(p Provider) (ProviderWithBanks, bool) { return with[ProviderWithBanks](p, Banks) }

// WithBills returns p's billers and bills, if Info declares them.
func WithBills(p Provider) (ProviderWithBills, bool) { return with[ProviderWithBills](p, Bills) }

// WithBalance returns p's balance, if Info declares one.
func WithBalance(p Provider) (ProviderWithBalance, bool) {
	return with[ProviderWithBalance](p, BalanceOf)
}

// WithStatement returns p's statement, if Info declares one.
func WithStatement(p Provider) (ProviderWithStatement, bool) {
	return with[ProviderWithStatement](p, Statements)
}

func with[T Provider](p Provider, a Ability) (T, bool) {
	t, ok := p.(T)
	return t, ok && p.Info().Has(a)
}
