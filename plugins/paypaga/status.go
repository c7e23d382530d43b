package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/plugins/internal/rest"
	"github.com/cauce-pay/cauce/provider"
)

// statuses are V2's words and those of V1, which spells and capitalises them in several ways (PP-16). V1's sample has
// "Cmpleted" too, which nothing explains: it is not here.
var statuses = map[string]provider.Status{
	"initiated":   provider.Pending, // made; the payer has to act
	"authorizing": provider.Pending,
	"pending":     provider.Pending,
	"approved":    provider.Succeeded,
	"reject":      provider.Rejected,
	"rejected":    provider.Rejected,
	"declined":    provider.Rejected,
	"canceled":    provider.Rejected,
	"cancelled":   provider.Rejected,
	"failed":      provider.Failed, // no processor can take it
	"error":       provider.Failed, // for a pay-in the same, and final
	"expired":     provider.Expired,
	"refund":      provider.Succeeded, // it was paid, and given back
	"refunded":    provider.Succeeded,
}

// outcome says what a look-up's record means. An unknown word is CodeUnknown, never a guess.
func (t transaction) outcome() (provider.Outcome, error) {
	id := idOf(t.ID)
	if t.Reference == "" || t.Amount.Minor() <= 0 {
		return provider.Outcome{}, unclear(id, "its record of the pay-in lacks merchant_transaction_reference or transaction_amount")
	}
	word := strings.ToLower(t.Status)
	status, known := statuses[word]
	if !known {
		e := unclear(id, "it says that the pay-in is %.40q, which says nothing about the money", word)
		e.ProviderCode = fmt.Sprintf("%.40s", word)
		return provider.Outcome{}, e
	}
	o := provider.Outcome{
		Status: status, Key: t.Reference, Reference: id, Amount: t.Amount.Money, Currency: t.Currency, Code: word,
		Message: t.reason(), ExpiresAt: t.expiresAt(),
	}
	if url := t.Instructions.ReferenceURL; status == provider.Pending && isURL(url) {
		o.Action = payment.Redirect(url)
	}
	return o, nil
}

// expiresAt is zero where there is none that can be read.
func (t transaction) expiresAt() (at time.Time) {
	_ = json.Unmarshal(t.ExpiresAt, &at)
	return at
}

var (
	digits = regexp.MustCompile(`[0-9]{5,}`)
	emails = regexp.MustCompile(`\S+@\S+`)
)

// reason is fail_reason, where it is a text, without what it could repeat of the payer's personal data.
func (t transaction) reason() string {
	var text string
	_ = json.Unmarshal(t.FailReason, &text)
	var given map[string]any
	_ = json.Unmarshal(t.Fields, &given)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if value, isText := given[name].(string); isText && len(value) > 3 {
			text = strings.ReplaceAll(text, value, "***")
		}
	}
	return digits.ReplaceAllString(emails.ReplaceAllString(text, "***"), "***")
}

// listed reads the pay-ins of a search's answer: a list, or what stands in the lists that are an object's members. What
// those are called, and whether there are others than the pay-ins', is documented nowhere.
func listed(resp *rest.Response) ([]transaction, error) {
	var body json.RawMessage
	if err := resp.Decode(&body); err != nil {
		return nil, err
	}
	lists := []json.RawMessage{body}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) == nil {
		lists = slices.DeleteFunc(slices.Collect(maps.Values(members)), func(m json.RawMessage) bool { return m[0] != '[' })
	}
	if len(lists) == 0 {
		return nil, errors.New("there is no list in it")
	}
	var all []transaction
	for _, l := range lists {
		var some []transaction
		if err := json.Unmarshal(l, &some); err != nil {
			return nil, errors.New("it is no list of pay-ins")
		}
		all = append(all, some...)
	}
	return all, nil
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}

// idForm bounds what is put into a path; a transaction_id looks like a UUID and is opaque (PP-09).
var idForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

func isID(s string) bool { return idForm.MatchString(s) }

// idOf returns an id that can be asked for, else "": then the pay-in is searched by our reference.
func idOf(s string) string {
	if !isID(s) {
		return ""
	}
	return s
}
