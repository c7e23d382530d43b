package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/payment"
)

// ambiguity is what happens to the call that hands a payment over.
type ambiguity struct {
	name     string
	fault    string // members of a fault; "" = none
	executed bool   // the call creates something at the provider
	foreign  bool   // the answer is a true one, about somebody else's transaction
}

// ambiguities are all ways in which an answer may leave open what became of the call.
var ambiguities = []ambiguity{
	{name: "none", executed: true},
	{name: "drop_before", fault: `"do":"drop_before"`},
	{name: "drop_after", fault: `"do":"drop_after"`, executed: true},
	{name: "delay", fault: `"do":"delay","delay_ms":1500`, executed: true},
	{name: "delay_after", fault: `"do":"delay_after","delay_ms":1500`, executed: true},
	{name: "500", fault: `"do":"answer","status":500,` + page},
	{name: "502", fault: `"do":"answer","status":502,` + page},
	{name: "503", fault: `"do":"answer","status":503,` + page},
	{name: "500 after", fault: `"do":"answer_after","status":500,` + page, executed: true},
	{name: "502 after", fault: `"do":"answer_after","status":502,` + page, executed: true},
	{name: "503 after", fault: `"do":"answer_after","status":503,` + page, executed: true},
	{name: "empty", fault: `"do":"answer","status":200,"body":""`},
	{name: "empty after", fault: `"do":"answer_after","status":200,"body":""`, executed: true},
	{name: "garble", fault: `"do":"garble"`, executed: true},
	{name: "foreign", fault: `"do":"answer"`, foreign: true},
	{name: "foreign after", fault: `"do":"answer_after"`, executed: true, foreign: true},
	{name: "webhook_first", fault: `"do":"webhook_first"`, executed: true},
	{name: "webhook_twice", fault: `"do":"webhook_twice"`, executed: true},
	{name: "webhook_never", fault: `"do":"webhook_never"`, executed: true},
	{name: "webhook_forged", fault: `"do":"webhook_forged"`, executed: true},
}

const page = `"body":"<html><body><h1>Bad Gateway</h1></body></html>"`

// TestAmbiguity hands payments to every provider under every ambiguity, with another provider ready to take them too.
// Then the payer or the bank decides, and the router asks. What it says must be what the ledgers say.
//
// CAUCE_MATRIX=all adds the payers who decline, and look-ups that fail, too.
func TestAmbiguity(t *testing.T) {
	t.Parallel()
	newMatrix(t, ourSimulators, "", allPlugins(t)...).run(t, ambiguities)
}

// TestAmbiguityForeign is the same at the simulators of package foreign: what is certain there owes nothing to ours.
//
// Without CAUCE_MATRIX=all it meets only the faults after which something was executed and the answer was lost.
func TestAmbiguityForeign(t *testing.T) {
	t.Parallel()
	list := ambiguities
	if os.Getenv("CAUCE_MATRIX") != "all" {
		list = slices.DeleteFunc(slices.Clone(list), func(a ambiguity) bool {
			return !slices.Contains([]string{"none", "drop_after", "delay_after", "garble", "foreign after", "webhook_forged"}, a.name)
		})
	}
	newMatrix(t, foreignSimulators, "", allPlugins(t)...).run(t, list)
}

// allPlugins returns the names of the repository's plugins.
func allPlugins(t *testing.T) []string {
	t.Helper()
	mains, err := filepath.Glob("../../plugins/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("plugins: %v, %v", mains, err)
	}
	var names []string
	for _, path := range mains {
		names = append(names, filepath.Base(filepath.Dir(path)))
	}
	return names
}

func (m *matrix) run(t *testing.T, list []ambiguity) {
	m.api.startRouter(t, m.by.env...)
	decisions, lookups := []string{"approved"}, []string{""}
	if os.Getenv("CAUCE_MATRIX") == "all" {
		decisions = []string{"approved", "rejected"}
		lookups = []string{"", `"do":"drop_after"`, `"do":"answer","status":500,` + page, `"do":"answer","status":200,"body":""`, `"do":"garble"`}
	}
	for _, lane := range m.lanes {
		t.Run(lane.form.provider, func(t *testing.T) {
			t.Parallel()
			for _, a := range list {
				for _, decision := range decisions {
					for _, lookup := range lookups {
						lane.run(t, a, decision, lookup)
					}
				}
			}
			lane.checkNothingElse(t)
		})
	}
}

// matrix is one router with a lane for each plugin.
type matrix struct {
	by    simulated
	api   *world
	lanes []*lane
}

// lane is a plugin with its own sandbox, which suffers the faults, and the sandbox of a spare provider, which does not.
type lane struct {
	*world
	form  wireForm
	spare *world // nil where nobody else offers the operation
	paid  int
	known map[string]bool // keys that may be in the ledgers
	clean payment.Payment // one that went well
	token string          // a foreign transaction's key
}

// simulated says how the providers are simulated.
type simulated struct {
	start func(t *testing.T, plugin string) (url string)
	forms []wireForm        // the first of a plugin is the one that fits its simulator
	base  map[string]string // paths of base URLs, by plugin; "" = none
	env   []string          // the router's
}

// ourSimulators are those that the plugins bring along.
var ourSimulators = simulated{forms: wireForms, start: func(t *testing.T, plugin string) string {
	_, m := startProcess(t, `listening on (http://\S+)`, nil, plugin, "sandbox")
	if plugin == "tumipay" { // as its form has it
		(&world{sandbox: m[1], client: newClient(t)}).tell(t, "mode", `{"name":"unit","value":"peso"}`)
	}
	return m[1]
}}

// newMatrix starts the simulators of the plugins' providers and writes the router's rules, to which it adds those given.
func newMatrix(t *testing.T, by simulated, rules string, plugins ...string) *matrix {
	t.Helper()
	listen := unusedAddress(t)
	rules += fmt.Sprintf("server {\n  listen = %q\n  public_url = \"http://%[1]s\"\n}\n", listen)
	attributes := fmt.Sprintf("timeout = \"1s\"\n  notification_secret = %q\n  breaker = { failures = 1000 }", hookSecret)
	api := &world{dir: t.TempDir(), url: "http://" + listen, client: newClient(t)}
	m := matrix{by: by, api: api}
	formOf := func(plugin string) wireForm {
		i := slices.IndexFunc(by.forms, func(f wireForm) bool { return f.plugin == plugin })
		if i < 0 {
			t.Fatalf("wireForms has no payment for the plugin %s", plugin)
		}
		return by.forms[i]
	}
	spareForm := formOf("tpaga-pse")
	for _, plugin := range plugins {
		l := &lane{form: formOf(plugin), world: api.withSandbox(t, by.start(t, plugin), plugin), known: map[string]bool{}}
		candidates := fmt.Sprintf("%q", plugin)
		rules += l.form.block(plugin, fmt.Sprintf("%q", l.sandbox+by.base[plugin]), attributes)
		if strings.Contains(l.form.request, `"payin"`) {
			spare := "spare-" + plugin
			l.spare = api.withSandbox(t, by.start(t, spareForm.plugin), spare)
			candidates += fmt.Sprintf(", %q", spare)
			rules += spareForm.block(spare, fmt.Sprintf("%q", l.spare.sandbox), attributes)
		}
		rules += fmt.Sprintf("route %q {\n  when = \"metadata.to == '%[1]s'\"\n  providers = [%s]\n}\n", plugin, candidates)
		m.lanes = append(m.lanes, l)
	}
	if err := os.WriteFile(filepath.Join(api.dir, "routing.hcl"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	return &m
}

// withSandbox is the world with a sandbox whose webhooks go to the provider with that label.
func (w *world) withSandbox(t *testing.T, sandbox, label string) *world {
	t.Helper()
	own := *w
	own.sandbox = sandbox
	own.tell(t, "webhook", fmt.Sprintf(`{"url":"%s/v1/notifications/%s/%s"}`, w.url, label, hookSecret))
	return &own
}

// run is one payment, from its request to where nothing more can be learnt.
func (l *lane) run(t *testing.T, a ambiguity, decision, lookup string) {
	t.Helper()
	name := fmt.Sprintf("%s, %s, look-ups %q", a.name, decision, lookup)
	if a.fault != "" {
		fault := a.fault
		if a.foreign {
			fault += l.foreignAnswer(t)
		}
		l.tell(t, "faults", `{"on":"create",`+fault+`}`)
	}
	if lookup != "" {
		l.tell(t, "faults", `{"on":"lookup","times":2,`+lookup+`}`)
	}
	l.paid++
	c := wireCase{written: fmt.Sprint(10_000 + l.paid), document: "CC", kind: "natural"}
	form := l.form
	form.request = strings.Replace(form.request, "transaction-approved", "Nomina", 1) // which the bank decides on
	p := form.pay(t, l.world, c)
	if len(p.Attempts) == 0 || p.Attempts[0].Provider != form.plugin {
		t.Fatalf("%s: it was not handed over: %+v", name, p)
	}
	if a.executed {
		ctx, cancel := context.WithTimeout(t.Context(), patience/3)
		defer cancel()
		t.Logf("%s: waiting for what the provider executes of %+v", name, p.Attempts[0])
		waitUntil(ctx, t, func() bool { return len(l.executed(t, p.Attempts[0].Key)) > 0 })
	}
	p = l.settle(t, p, decision)
	l.clear(t)
	p = l.settle(t, p, decision)
	for _, attempt := range p.Attempts {
		l.known[attempt.Key] = true
	}
	l.judge(t, name, p)
	if a.fault == "" && l.clean.ID == "" {
		if p.Status != payment.Succeeded {
			t.Fatalf("%s: it is %s %+v", name, p.Status, p.Failure)
		}
		l.clean = p
	}
}

// settle lets the payer or the bank decide and the router ask, a few times over.
func (l *lane) settle(t *testing.T, p payment.Payment, decision string) payment.Payment {
	t.Helper()
	for range 3 {
		if p.Action != nil {
			button := map[string]string{"approved": "approve", "rejected": "decline"}[decision]
			if resp, err := l.client.PostForm(p.Action.URL, map[string][]string{"decision": {button}}); err == nil {
				_ = resp.Body.Close() // a page that was decided on refuses
			}
		}
		if p.Operation != payment.PayIn { // no payer: the bank decides on whatever it has
			for _, e := range l.executed(t, keys(p)...) {
				if e.Status == "pending" {
					l.tell(t, "settle", fmt.Sprintf(`{"id":%q,"status":%q}`, e.ID, decision))
				}
			}
		}
		l.refresh(t, p.ID)
		if p = l.get(t.Context(), t, p.ID); p.Status.Final() {
			return p
		}
	}
	return p
}

func keys(p payment.Payment) []string {
	var keys []string
	for _, a := range p.Attempts {
		keys = append(keys, a.Key)
	}
	return keys
}

// executed returns what the ledgers of the lane have under the keys.
func (l *lane) executed(t *testing.T, keys ...string) []ledgerEntry {
	t.Helper()
	return slices.DeleteFunc(l.ledgers(t), func(e ledgerEntry) bool { return !slices.Contains(keys, e.Key) })
}

func (l *lane) ledgers(t *testing.T) []ledgerEntry {
	t.Helper()
	entries := l.ledger(t.Context(), t)
	if l.spare != nil {
		entries = append(entries, l.spare.ledger(t.Context(), t)...)
	}
	return entries
}

// judge compares what the router says with the ledgers.
func (l *lane) judge(t *testing.T, name string, p payment.Payment) {
	t.Helper()
	entries := l.executed(t, keys(p)...)
	approved, open := 0, 0
	for _, e := range entries {
		a := p.Attempts[slices.IndexFunc(p.Attempts, func(a payment.Attempt) bool { return a.Key == e.Key })]
		switch {
		case e.Status == "approved":
			approved++
		case e.Status == "pending" && (a.Status != payment.AttemptAbandoned || a.URLGiven): // an abandoned one nobody can pay
			open++
		}
	}
	wrong := approved+open > 1
	switch {
	case p.Status == payment.Succeeded:
		wrong = wrong || approved != 1
	case p.Status.Final():
		wrong = wrong || approved+open != 0
	default:
		wrong = wrong || p.NextLookupAt.IsZero() && (p.Status != payment.InDoubt || p.Failure == nil)
	}
	if wrong {
		t.Errorf("%s: it is %s %+v, next look-up %s\nattempts %+v\nledgers %+v", name, p.Status, p.Failure, p.NextLookupAt, p.Attempts, entries)
	}
}

// foreignAnswer makes somebody else's transaction, as the provider's first payment was made, and returns its answer as
// members of a fault.
func (l *lane) foreignAnswer(t *testing.T) string {
	t.Helper()
	key := l.clean.Attempts[0].Key
	var requests []request
	if status, err := l.call(t.Context(), http.MethodGet, l.sandbox+"/_sandbox/requests", "", "", &requests); err != nil || status != http.StatusOK {
		t.Fatalf("requests: %d, %v", status, err)
	}
	i := slices.IndexFunc(requests, func(r request) bool { return strings.Contains(r.Body, key) }) // the create call alone has a body with it
	foreign := fmt.Sprintf("%020d", l.paid)
	l.known[foreign] = true
	r := requests[i]
	req, err := http.NewRequestWithContext(t.Context(), r.Method, l.sandbox+r.Path+"?"+r.Query, strings.NewReader(strings.ReplaceAll(r.Body, key, foreign)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = r.Header
	req.Header.Del("Accept-Encoding")
	resp, err := l.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s: %s, %v", resp.Status, body, err)
	}
	quoted, err := json.Marshal(string(body))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`,"status":%d,"body":%s`, resp.StatusCode, quoted)
}

// request is one that a sandbox received.
type request struct {
	Method, Path, Query, Body string
	Header                    http.Header
}

// clear ends the faults.
func (l *lane) clear(t *testing.T) {
	t.Helper()
	if status, err := l.call(t.Context(), http.MethodDelete, l.sandbox+"/_sandbox/faults", "", "", nil); err != nil || status/100 != 2 {
		t.Fatalf("faults: %d, %v", status, err)
	}
}

// checkNothingElse demands that every ledger entry belongs to a payment that was asked for, once.
func (l *lane) checkNothingElse(t *testing.T) {
	t.Helper()
	seen := map[string]bool{}
	for _, e := range l.ledgers(t) {
		if !l.known[e.Key] || seen[e.Key] {
			t.Errorf("the ledgers have %+v, seen before: %t", e, seen[e.Key])
		}
		seen[e.Key] = true
	}
}
