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

// foreignPayments are payments, what happens to them, and how they have to end.
var foreignPayments = []struct {
	name, plugin, fault, decision string
	request                       string
	end                           payment.Status
	by                            string
}{
	{"a pay-in", "tpaga-pse", "", "approved", foreignPayIn, payment.Succeeded, "tpaga-pse"},
	{"a pay-in that the payer declines", "tpaga-pse", "", "rejected", foreignPayIn, payment.Rejected, "tpaga-pse"},
	{"a pay-in whose answer is lost", "tpaga-pse", "drop_after", "approved", foreignPayIn, payment.Succeeded, "paypaga"},
	{"a pay-in whose answer is cut", "tpaga-pse", "garble", "approved", foreignPayIn, payment.Succeeded, "paypaga"},
	{"cash", "tumipay", "", "approved", cash, payment.Succeeded, "tumipay"},
	{"cash that nobody pays", "tumipay", "", "expired", cash, payment.Expired, "tumipay"},
	{"a page that nobody opens", "tpaga-pse", "", "expired", foreignPayIn, payment.Rejected, "tpaga-pse"},
	{"a pay-in an hour later", "tpaga-pse", "", "approved", foreignPayIn, payment.Succeeded, "tpaga-pse"},
	{"a payout", "coopcentral", "", "approved", foreignPayOut, payment.Succeeded, "coopcentral"},
	{"a payout that the bank rejects", "coopcentral", "", "rejected", foreignPayOut, payment.Rejected, "coopcentral"},
	{"a payout whose answer is lost", "coopcentral", "drop_after", "approved", foreignPayOut, payment.Succeeded, "coopcentral"},
	{"a payout whose answer is cut", "coopcentral", "garble", "approved", foreignPayOut, payment.Succeeded, "coopcentral"},
	{"a bill", "tpaga-bills", "", "", foreignBill, payment.Succeeded, "tpaga-bills"},
	{"a bill whose answer is lost", "tpaga-bills", "drop_after", "", foreignBill, payment.Succeeded, "tpaga-bills"},
	{"a bill whose answer is cut", "tpaga-bills", "garble", "", foreignBill, payment.Succeeded, "tpaga-bills"},

	// What the documents give for trying things out.
	{"a charge that fails at once", "tpaga-pse", "", "approved", payInAt("1080"), payment.Failed, "tpaga-pse"},
	{"a charge that PSE does not answer", "tpaga-pse", "", "approved", payInAt("1081"), payment.Failed, "tpaga-pse"},
	{"the e-mail of a success", "tumipay", "", "", strings.Replace(cash, "miguel@example.com", "approved@tumipay.co", 1), payment.Succeeded, "tumipay"},
	{"a transfer that is approved", "coopcentral", "", "", described("transaction-approved"), payment.Succeeded, "coopcentral"},
	{"a transfer that is rejected", "coopcentral", "", "", described("transaction-rejected"), payment.Rejected, "coopcentral"},
	{"a transfer that fails at once", "coopcentral", "", "", strings.Replace(foreignPayOut, "68653284571", "000000", 1), payment.Failed, "coopcentral"},
	{"a bill of any amount", "tpaga-bills", "", "", strings.Replace(billOf("000000"), "12300", "5000", 1), payment.Succeeded, "tpaga-bills"},
	{"a bill under way", "tpaga-bills", "", "", billOf("111100001111"), payment.Pending, "tpaga-bills"},
	{"a bill whose payment is rejected", "tpaga-bills", "", "", billOf("111100003333"), payment.Failed, "tpaga-bills"},
	{"a bill of which nobody knows", "tpaga-bills", "", "", billOf("111100004444"), payment.InDoubt, "tpaga-bills"},
	{"a bill without a biller's provider", "tpaga-bills", "", "", billOf("dummy412"), payment.Failed, "tpaga-bills"},
	{"a bill that is paid already", "tpaga-bills", "", "", billOf("dummy422-already-paid-bill"), payment.Rejected, "tpaga-bills"},
	{"a bill that has expired", "tpaga-bills", "", "", billOf("dummy422-expired-bill"), payment.Rejected, "tpaga-bills"},
	{"a bill that does not exist", "tpaga-bills", "", "", billOf("dummy422-does-not-exist"), payment.Failed, "tpaga-bills"},
	{"a bill that cannot be paid", "tpaga-bills", "", "", billOf("dummy422-cannot-be-paid"), payment.Failed, "tpaga-bills"},
	{"a bill for later", "tpaga-bills", "", "", billOf("dummy422-try-again"), payment.Failed, "tpaga-bills"},
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
	for i, tc := range foreignPayments {
		if tc.fault != "" {
			boxes[tc.plugin].tell(t, "faults", fmt.Sprintf(`{"on":"create","do":%q,"times":1}`, tc.fault))
		}
		var p payment.Payment
		key := fmt.Sprintf("foreign-%d", i)
		if status, err := w.call(t.Context(), http.MethodPost, w.url+"/v1/payments", key, tc.request, &p); err != nil || status != http.StatusCreated {
			t.Fatalf("%s: %d, %v", tc.name, status, err)
		}
		switch {
		case tc.decision == "expired":
			boxes[tc.plugin].tell(t, "clock", `{"advance_s":3700}`)
		case p.Action != nil && tc.decision != "":
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
			return p.Status.Final() || p.Status == tc.end
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
	foreignPayIn  = payInAt("1013")
	cash          = strings.Replace(foreignPayIn, `"pse"`, `"efecty"`, 1)
	foreignPayOut = `{"operation":"payout","method":"bank_transfer","reference":"PAYROLL-7","amount":"35000.50","payee":{` + wirePayee + `,"document":{"type":"CC","number":"11111158"}}}`
	foreignBill   = billOf("111100005555")
)

func payInAt(bank string) string {
	return `{` + wirePayIn + `,"amount":"20000","payer":{` + strings.Replace(wirePayer, "1022", bank, 1) + `,"kind":"natural","document":{"type":"CC","number":"1020304050"}}}`
}

func described(text string) string {
	return strings.Replace(foreignPayOut, "{", fmt.Sprintf(`{"description":%q,`, text), 1)
}

func billOf(reference string) string {
	return fmt.Sprintf(`{"operation":"bill","method":"bill","reference":"BILL-7","amount":"12300","bill":{"biller":"etb","reference":%q}}`, reference)
}

// paidUnder are the entries of all ledgers under the keys of a payment's attempts.
func paidUnder(t *testing.T, boxes map[string]*world, p payment.Payment) (list []ledgerEntry) {
	t.Helper()
	for _, box := range boxes {
		list = append(list, box.ledger(t.Context(), t)...)
	}
	return slices.DeleteFunc(list, func(e ledgerEntry) bool { return !slices.Contains(keys(p), e.Key) })
}

// Webhooks as other people send them end a payment; nobody asks for it.
func TestWebhooksForeign(t *testing.T) {
	t.Parallel()
	m := newMatrix(t, foreignSimulators, "", "tpaga-pse", "paypaga", "tumipay", "coopcentral") // bills have none
	m.api.startRouter(t, m.by.env...)
	for _, l := range m.lanes {
		l.form.request = strings.Replace(l.form.request, "transaction-approved", "Nomina", 1) // on which the bank decides
		p := l.form.pay(t, l.world, wireCase{written: "20000", document: "CC", kind: "natural"})
		if p.Action != nil {
			l.decide(t, p.Action.URL, "approve")
		} else {
			l.tell(t, "settle", fmt.Sprintf(`{"id":%q,"status":"approved"}`, l.executed(t, keys(p)...)[0].ID))
		}
		var now struct {
			payment.Payment
			Events []payment.Event
		}
		waitUntil(t.Context(), t, func() bool {
			_, err := l.call(t.Context(), http.MethodGet, l.url+"/v1/payments/"+p.ID+"?events=true", "", "", &now)
			return err == nil && now.Status.Final()
		})
		if now.Status != payment.Succeeded || !slices.ContainsFunc(now.Events, func(e payment.Event) bool { return e.Type == payment.EventNotification }) {
			t.Errorf("%s: it is %s, its events are %+v", l.form.plugin, now.Status, now.Events)
		}
	}
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
