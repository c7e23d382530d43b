package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cauce "github.com/cauce-pay/cauce"
	"github.com/cauce-pay/cauce/conformance/foreign"
	"github.com/cauce-pay/cauce/payment"
)

// foreigners are the simulators of package foreign, by plugin.
var foreigners = map[string]func() *foreign.Simulator{
	"tpaga-pse": foreign.TpagaPSE, "paypaga": foreign.PayPaga, "tumipay": foreign.TumiPay,
	"coopcentral": foreign.Coopcentral, "tpaga-bills": foreign.TpagaBills,
}

// foreignSimulators reads amounts in cents, where a provider leaves that open.
var foreignSimulators = simulated{
	start: startForeign, base: map[string]string{"tumipay": foreign.TumiPayBase},
	forms: func() (list []wireForm) {
		for _, f := range wireForms {
			if !strings.Contains(f.settings, `"peso"`) {
				f.provider = f.plugin
				list = append(list, f)
			}
		}
		return list
	}(),
	env: []string{
		"TPAGA_PSE_CLIENT_ID=" + foreign.ClientID, "TPAGA_PSE_CLIENT_SECRET=" + foreign.ClientSecret,
		"TPAGA_BILLS_CLIENT_ID=" + foreign.ClientID, "TPAGA_BILLS_CLIENT_SECRET=" + foreign.ClientSecret,
		"PAYPAGA_CLIENT_ID=" + foreign.ClientID, "PAYPAGA_CLIENT_SECRET=" + foreign.ClientSecret,
		"TUMIPAY_USERNAME=" + foreign.ClientID, "TUMIPAY_PASSWORD=" + foreign.ClientSecret, "TUMIPAY_TOKEN_TOP=" + foreign.Token,
		"TUMIPAY_AMOUNT_UNIT=cent", "COOPCENTRAL_TOKEN=" + foreign.Token, "COOPCENTRAL_AMOUNT_UNIT=cent",
	},
}

// startForeign serves a plugin's simulator until the test's end.
func startForeign(t *testing.T, plugin string) (url string) {
	t.Helper()
	sim := foreigners[plugin]()
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	t.Cleanup(sim.Close) // before: it ends what a fault delays
	return server.URL
}

// A payment of each operation from its request to its end, by the shipped rules, at simulators that know nothing of ours.
// Where an answer is lost, the next provider may take a pay-in whose page nobody was given; whatever happens, exactly
// one charge is paid, of the payment's own amount.
func TestShippedRulesForeign(t *testing.T) {
	t.Parallel()
	w := &world{dir: t.TempDir(), url: "http://" + unusedAddress(t), client: newClient(t)}
	boxes := map[string]*world{}
	env := slices.Clone(foreignSimulators.env)
	for plugin := range foreigners {
		boxes[plugin] = &world{sandbox: startForeign(t, plugin), client: w.client}
		env = append(env, variable(plugin, "base_url")+"="+boxes[plugin].sandbox+foreignSimulators.base[plugin])
	}
	rules := filepath.Join(w.dir, "routing.hcl")
	if err := os.WriteFile(rules, cauce.Routing, 0o600); err != nil {
		t.Fatal(err)
	}
	w.router, _ = startProcess(t, "msg=serving", env, "router", "serve", "-c", rules, "-listen", strings.TrimPrefix(w.url, "http://"))
	for i, tc := range []struct {
		name, plugin, fault, decision string
		operation                     string // members of the request
		end                           payment.Status
		by                            string
	}{
		{"a pay-in", "tpaga-pse", "", "approved", foreignPayIn, payment.Succeeded, "tpaga-pse"},
		{"a pay-in that the payer declines", "tpaga-pse", "", "rejected", foreignPayIn, payment.Rejected, "tpaga-pse"},
		{"a pay-in whose answer is lost", "tpaga-pse", "drop_after", "approved", foreignPayIn, payment.Succeeded, "paypaga"},
		{"a pay-in whose answer is cut", "tpaga-pse", "garble", "approved", foreignPayIn, payment.Succeeded, "paypaga"},
		{"cash", "tumipay", "", "approved", strings.Replace(foreignPayIn, `"pse"`, `"efecty"`, 1), payment.Succeeded, "tumipay"},
		{"a payout", "coopcentral", "", "approved", foreignPayOut, payment.Succeeded, "coopcentral"},
		{"a payout that the bank rejects", "coopcentral", "", "rejected", foreignPayOut, payment.Rejected, "coopcentral"},
		{"a payout whose answer is lost", "coopcentral", "drop_after", "approved", foreignPayOut, payment.Succeeded, "coopcentral"},
		{"a payout whose answer is cut", "coopcentral", "garble", "approved", foreignPayOut, payment.Succeeded, "coopcentral"},
		{"a bill", "tpaga-bills", "", "", foreignBill, payment.Succeeded, "tpaga-bills"},
		{"a bill whose answer is lost", "tpaga-bills", "drop_after", "", foreignBill, payment.Succeeded, "tpaga-bills"},
		{"a bill whose answer is cut", "tpaga-bills", "garble", "", foreignBill, payment.Succeeded, "tpaga-bills"},
	} {
		if tc.fault != "" {
			boxes[tc.plugin].tell(t, "faults", fmt.Sprintf(`{"on":"create","do":%q,"times":1}`, tc.fault))
		}
		var p payment.Payment
		key := fmt.Sprintf("foreign-%d", i)
		if status, err := w.call(t.Context(), http.MethodPost, w.url+"/v1/payments", key, tc.operation, &p); err != nil || status != http.StatusCreated {
			t.Fatalf("%s: %d, %v", tc.name, status, err)
		}
		if p.Action != nil {
			w.decide(t, p.Action.URL, map[string]string{"approved": "approve", "rejected": "decline"}[tc.decision])
		}
		waitUntil(t.Context(), t, func() bool {
			for _, e := range paidUnder(t, boxes, p) {
				if p.Operation == payment.PayOut && e.Status == "pending" {
					boxes[tc.plugin].tell(t, "settle", fmt.Sprintf(`{"id":%q,"status":%q}`, e.ID, tc.decision))
				}
			}
			w.refresh(t, p.ID)
			p = w.get(t.Context(), t, p.ID)
			return p.Status.Final()
		})
		approved := slices.DeleteFunc(paidUnder(t, boxes, p), func(e ledgerEntry) bool { return e.Status != "approved" })
		switch {
		case p.Status != tc.end || p.Provider != tc.by:
			t.Errorf("%s: it is %s by %s, want %s by %s: %+v", tc.name, p.Status, p.Provider, tc.end, tc.by, p.Attempts)
		case tc.end != payment.Succeeded && len(approved) > 0, tc.end == payment.Succeeded && (len(approved) != 1 || approved[0].Amount != p.Amount):
			t.Errorf("%s: the ledgers have %+v", tc.name, approved)
		}
	}
}

var (
	foreignPayIn  = `{` + wirePayIn + `,"amount":"20000","payer":{` + strings.Replace(wirePayer, "1022", "1013", 1) + `,"kind":"natural","document":{"type":"CC","number":"1020304050"}}}`
	foreignPayOut = `{"operation":"payout","method":"bank_transfer","reference":"PAYROLL-7","amount":"35000.50","payee":{` + wirePayee + `,"document":{"type":"CC","number":"11111158"}}}`
	foreignBill   = `{"operation":"bill","method":"bill","reference":"BILL-7","amount":"12300","bill":{"biller":"etb","reference":"111100005555"}}`
)

// paidUnder are the entries of all ledgers under the keys of a payment's attempts.
func paidUnder(t *testing.T, boxes map[string]*world, p payment.Payment) (list []ledgerEntry) {
	t.Helper()
	for _, box := range boxes {
		list = append(list, box.ledger(t.Context(), t)...)
	}
	return slices.DeleteFunc(list, func(e ledgerEntry) bool { return !slices.Contains(keys(p), e.Key) })
}

// The command judges any simulator: the shipped rules configure the plugins, and the checks of idempotency and
// tokens are run. CAUCE_MATRIX=all runs all checks.
func TestConformanceForeign(t *testing.T) {
	t.Parallel()
	pattern := "^(check|idempotency|tokens)/"
	if os.Getenv("CAUCE_MATRIX") == "all" {
		pattern = "."
	}
	rules := filepath.Join(t.TempDir(), "routing.hcl")
	if err := os.WriteFile(rules, cauce.Routing, 0o600); err != nil {
		t.Fatal(err)
	}
	for plugin := range foreigners {
		sandbox := startForeign(t, plugin)
		cmd := exec.Command(binary("router"), "conformance", plugin, "-sandbox", sandbox, "-config", rules, "-run", pattern)
		cmd.Env = append(slices.Clone(foreignSimulators.env), variable(plugin, "base_url")+"="+sandbox+foreignSimulators.base[plugin])
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "0 failed") {
			t.Errorf("%s: %v\n%s", plugin, err, out)
		}
	}
}
