package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

func TestInfo(t *testing.T) {
	t.Parallel()
	info := New().Info()
	if err := info.Validate(); err != nil {
		t.Error(err)
	}
	want := payment.Recovery{
		LookupByKey: true, AbandonIfUnanswered: true, AbsentAfter: payment.Duration(time.Minute), ExpiresAfter: payment.Duration(60 * time.Hour),
	}
	if c := info.Capabilities[0]; len(info.Capabilities) != 1 || !c.Takes(payment.PayIn, payment.PSE) || c.Recovery != want {
		t.Errorf("capabilities %+v", info.Capabilities)
	}
	if secrets := info.Config.Secrets(configAt("")); !slices.Equal(secrets, []string{clientSecret}) {
		t.Errorf("secrets %q", secrets)
	}
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	const root = "https://api.paypaga.com"
	for _, tc := range []struct {
		config provider.Config
		faults []string
	}{
		{configAt(root), nil},
		{configAt(root + "/"), nil},
		{provider.Config{}, []string{"base_url", "client_id", "client_secret"}},
		{configAt("api.paypaga.com"), []string{"base_url"}},
		{configAt(root + "/v2"), []string{"base_url"}},
		{configAt(root + "?a=b"), []string{"base_url"}},
		{configAt("https://user:pass@api.paypaga.com"), []string{"base_url"}},
		{provider.Config{"base_url": root, "client_id": "a", "client_secret": "b", "token": "c"}, []string{"token"}},
	} {
		p := New().(*paypaga)
		err := p.Configure(t.Context(), tc.config)
		var faulty *provider.ConfigError
		var names []string
		if errors.As(err, &faulty) {
			for _, f := range faulty.Faults {
				names = append(names, f.Name)
			}
			quotesNothing(t, err.Error())
		}
		if !slices.Equal(names, tc.faults) || (p.api == nil) != (err != nil) {
			t.Errorf("%v: %v, want faults of %q", tc.config, err, tc.faults)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		answer
		want provider.Code
	}{
		{answer{}, ""},
		{answer{404, "<html>"}, ""},
		{refusalOf(400, "CONFIGURATION_NOT_AVAILABLE", `{}`), provider.CodeUnavailable},
		{answer{401, ""}, provider.CodeUnauthorized},
		{refusalOf(403, "FORBIDDEN", `{}`), provider.CodeUnauthorized},
		{answer{500, ""}, provider.CodeUnavailable},
	} {
		d := newDocument(t)
		d.config = tc.answer
		p := at(t, d.URL)
		if got := codeOf(t, p.Check(t.Context())); got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.answer, got, tc.want)
		}
		if calls := d.arrived("GET"); calls[0].uri != "/v2/transactions/pay-in/config?country=CO&payment_method=pse" {
			t.Errorf("it asked for %s", calls[0].uri)
		}
		d.Close()
		if got := codeOf(t, at(t, d.URL).Check(t.Context())); got != provider.CodeUnavailable {
			t.Errorf("nobody there: %q", got)
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	byKey, byID := provider.Query{Key: reference}, provider.Query{Reference: transactionID}
	list := func(records ...string) answer { return answer{200, `{"data":[` + strings.Join(records, ",") + `]}`} }
	own, other := record(t, nil), record(t, map[string]any{"merchant_transaction_reference": "TRX-2"})
	for name, tc := range map[string]struct {
		query       provider.Query
		get, search answer
		status      provider.Status
		code        provider.Code
	}{
		"by id":                     {byID, answer{}, answer{}, provider.Pending, ""},
		"by key":                    {byKey, answer{}, answer{}, provider.Pending, ""},
		"a bare list":               {byKey, answer{}, answer{200, "[" + own + "]"}, provider.Pending, ""},
		"another member":            {byKey, answer{}, answer{200, `{"meta":{"page":1},"transactions":[` + own + `]}`}, provider.Pending, ""},
		"among others":              {byKey, answer{}, list(other, own, other), provider.Pending, ""},
		"none":                      {byKey, answer{}, list(), provider.Absent, ""},
		"a search's 404":            {byKey, answer{}, refusalOf(404, "NOT_FOUND", `{}`), provider.Absent, ""},
		"a proxy's 404":             {byKey, answer{}, answer{404, "<html>"}, "", provider.CodeUnknown},
		"others only":               {byKey, answer{}, list(other), "", provider.CodeUnknown},
		"twice":                     {byKey, answer{}, list(own, own), "", provider.CodeUnknown},
		"none, and no links":        {byKey, answer{}, answer{200, `{"data":[],"links":[]}`}, provider.Absent, ""},
		"no links":                  {byKey, answer{}, answer{200, `{"links":[],"data":[` + own + `]}`}, provider.Pending, ""},
		"a list of something else":  {byKey, answer{}, answer{200, `{"data":[],"errors":["no"]}`}, "", provider.CodeUnknown},
		"a list further down":       {byKey, answer{}, answer{200, `{"data":{"items":[` + own + `]},"links":[]}`}, "", provider.CodeUnknown},
		"no list":                   {byKey, answer{}, answer{200, `{}`}, "", provider.CodeUnknown},
		"null":                      {byKey, answer{}, answer{200, `null`}, "", provider.CodeUnknown},
		"half a list":               {byKey, answer{}, answer{200, `{"data":[`}, "", provider.CodeUnknown},
		"a refused parameter":       {byKey, answer{}, refusalOf(400, "VALIDATION_ERROR", `{}`), "", provider.CodeUnknown},
		"our credentials":           {byKey, answer{}, answer{401, ""}, "", provider.CodeUnauthorized},
		"our permissions":           {byID, refusalOf(403, "FORBIDDEN", `{}`), answer{}, "", provider.CodeUnauthorized},
		"unknown id":                {byID, refusalOf(404, "NOT_FOUND", `{}`), answer{}, provider.Absent, ""},
		"unknown id, known key":     {provider.Query{Key: reference, Reference: transactionID}, refusalOf(404, "NOT_FOUND", `{}`), answer{}, provider.Pending, ""},
		"not an id":                 {provider.Query{Reference: "../config"}, answer{}, answer{}, "", provider.CodeUnknown},
		"neither key nor id":        {provider.Query{}, answer{}, list(), "", provider.CodeUnknown},
		"not a key":                 {provider.Query{Key: "a b"}, answer{}, list(), "", provider.CodeUnknown},
		"an error":                  {byID, refusalOf(500, "INTERNAL_ERROR", `{}`), answer{}, "", provider.CodeUnknown},
		"no JSON":                   {byID, answer{200, "<html>"}, answer{}, "", provider.CodeUnknown},
		"no amount":                 {byID, answer{200, record(t, map[string]any{"transaction_amount": nil})}, answer{}, "", provider.CodeUnknown},
		"no reference":              {byID, answer{200, record(t, map[string]any{"merchant_transaction_reference": nil})}, answer{}, "", provider.CodeUnknown},
		"no status":                 {byID, answer{200, record(t, map[string]any{"status": nil})}, answer{}, "", provider.CodeUnknown},
		"an amount that is no text": {byID, answer{200, record(t, map[string]any{"transaction_amount": true})}, answer{}, "", provider.CodeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDocument(t)
			d.get, d.search = tc.get, tc.search
			o, err := at(t, d.URL).Lookup(t.Context(), tc.query)
			if codeOf(t, err) != tc.code || o.Status != tc.status {
				t.Fatalf("%+v, %v; want %q %q", o, err, tc.status, tc.code)
			}
			if o.Status == provider.Pending && (o.Key != reference || o.Reference != transactionID || o.Amount != payment.Pesos(1000) || o.Currency != "COP") {
				t.Errorf("it says %+v", o)
			}
			for _, c := range d.arrived("GET") {
				if c.uri != "/v2/transactions/pay-in/"+transactionID && c.uri != "/v2/transactions/pay-in?merchant_transaction_reference="+reference {
					t.Errorf("it asked for %s", c.uri)
				}
			}
		})
	}
}

func TestReasonsAreMasked(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	d.get = answer{200, record(t, map[string]any{
		"status": "declined", "fail_reason": "Snow (123456789, other@mail.co) is not known",
		"fields": map[string]any{"last_name": "Snow", "document_number": 123456789},
	})}
	o, err := at(t, d.URL).Lookup(t.Context(), provider.Query{Reference: transactionID})
	if err != nil || o.Message != "*** (***, *** is not known" {
		t.Errorf("%q, %v", o.Message, err)
	}
}

func TestParseNotification(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]provider.Query{
		`{"transaction_id":"` + transactionID + `","status":"Approved","merchant_transaction_reference":"` + reference + `"}`: {Key: reference},
		`{"transaction_id":"` + transactionID + `","status":"approved"}`:                                                      {Reference: transactionID},
		`{"transaction_id":"../x"}`: {}, `{"merchant_transaction_reference":"a b","transaction_id":"1"}`: {},
		`{"merchant_transaction_reference":7}`: {}, `{}`: {}, `[]`: {}, ``: {}, `null`: {},
	} {
		got, err := New().(*paypaga).ParseNotification(t.Context(), provider.Notification{Method: "POST", Body: []byte(body)})
		if want == (provider.Query{}) {
			if codeOf(t, err) != provider.CodeInvalid || got != nil {
				t.Errorf("%s: %v, %v", body, got, err)
			}
			continue
		}
		want.Operation, want.Method = payment.PayIn, payment.PSE
		if err != nil || !slices.Equal(got, []provider.Query{want}) {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
}

func TestCloseUnconfigured(t *testing.T) {
	t.Parallel()
	if err := New().Close(t.Context()); err != nil {
		t.Error(err)
	}
}
