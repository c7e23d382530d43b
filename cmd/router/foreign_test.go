package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/conformance/foreign"
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
