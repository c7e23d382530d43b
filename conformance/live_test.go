package conformance_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/conformance"
	"github.com/cauce-pay/cauce/provider"
)

// newLiveSuite judges acme with a bug at real, and compares with a simulator.
func newLiveSuite(t *testing.T, bug, real, simulator string) *conformance.Suite {
	t.Helper()
	w := newWorld()
	suite, err := conformance.New(t.Context(), conformance.Config{
		Open: func(context.Context) (provider.Provider, error) { return w.open(bug), nil },
		Live: true, Sandbox: simulator, Deadline: 5 * time.Second,
		Settings: provider.Config{"base_url": real, "client_id": "shop", "client_secret": "s3cret"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return suite
}

// live judges acme at a simulator that plays the real provider, and returns what does not pass, with its detail.
func live(t *testing.T, bug, real string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, c := range newLiveSuite(t, bug, real, newSandbox(t)).Report(t.Context(), nil, nil).Checks {
		if c.Verdict != conformance.Pass {
			found[c.ID] = string(c.Verdict) + ": " + c.Detail
		}
	}
	return found
}

func control(t *testing.T, method, url, body string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	} else if resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s answered %s", method, url, resp.Status)
	}
}

// TestLive shows each kind of drift to the live checks, and that nothing is handed over.
func TestLive(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault, bug string
		want       map[string]string // what fails, with a part of its detail
	}{
		"nothing has drifted": {},
		"banks came and went": {
			fault: `{"on":"banks","do":"answer","times":9,"status":200,"body":"[{\"Code\":\"1007\",\"Name\":\"Bancolombia\"},{\"Code\":\"1999\",\"Name\":\"Banco Nuevo\"}]"}`,
			want:  map[string]string{"drift/banks": "new: 1999 Banco Nuevo\ngone: 1051 Davivienda"},
		},
		"fields changed": {
			fault: `{"on":"banks","do":"answer","times":9,"status":200,"body":"[{\"Code\":\"1007\",\"Name\":\"Bancolombia\",\"open\":true},{\"Code\":\"1051\",\"Name\":\"Davivienda\"}]"}`,
			want:  map[string]string{"drift/answers": `Banks: GET /banks: the new field "[].open", true or false`},
		},
		"a field is gone": {
			fault: `{"on":"billers","do":"answer","times":9,"status":200,"body":"{\"Billers\":[{\"ID\":\"etb\",\"Name\":\"ETB\"}]}"}`,
			want:  map[string]string{"drift/answers": `Billers: GET /billers: the field "Billers[].AmountEditable" is gone`},
		},
		"another status": {
			fault: `{"on":"statement","do":"answer","times":9,"status":503}`,
			want: map[string]string{
				"drift/answers": "Statement: GET /statement: it answers [503], promised is [200]",
				"drift/results": "Statement: the error unavailable, promised is an answer",
			},
		},
		"slow": {
			fault: `{"on":"billers","do":"delay_after","times":9,"delay_ms":5100}`,
			want:  map[string]string{"drift/latency": "Billers took 5.1"},
		},
		"a wrong password is believed": {bug: "tokens/refused", want: map[string]string{"live/wrong-credentials": `not "unauthorized"`}},
		"any certificate is believed":  {bug: "hostile/tls-verified", want: map[string]string{"live/tls-verified": "without a good certificate got"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			real := newSandbox(t)
			if test.fault != "" {
				control(t, "POST", real+"/_sandbox/faults", test.fault, nil)
			}
			found := live(t, test.bug, real)
			for id, part := range test.want {
				if !strings.HasPrefix(found[id], "fail: ") || !strings.Contains(found[id], part) {
					t.Errorf("%s: %q, want %q in it", id, found[id], part)
				}
				delete(found, id)
			}
			for id, detail := range found {
				t.Errorf("%s: %s", id, detail)
			}
			var counts map[string]int
			control(t, "GET", real+"/_sandbox/counts", "", &counts)
			if counts["create"] != 0 || counts["token"] == 0 || counts["lookup"] == 0 || counts["banks"] == 0 {
				t.Errorf("the requests by kind are %v, want some, none a create", counts)
			}
		})
	}
}

func TestLiveWithoutSimulator(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, r := range newLiveSuite(t, "", newSandbox(t), "").Report(t.Context(), nil, nil).Checks {
		if strings.HasPrefix(r.ID, "drift/") && r.Verdict != conformance.NotJudged {
			t.Errorf("%s without a simulator: %s", r.ID, r.Verdict)
		}
		ids = append(ids, r.ID)
	}
	for _, id := range []string{"live/check", "banks/listed", "config/unknown-refused"} {
		if !slices.Contains(ids, id) {
			t.Errorf("%s is missing", id)
		}
	}
}
