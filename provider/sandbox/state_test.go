package sandbox_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/provider/sandbox"
)

// restart opens a sandbox on a state file that another one may still hold open, as after a kill.
func restart(t *testing.T, state string, now func() time.Time) driver {
	t.Helper()
	oauth := sandbox.OAuth{TokenPath: "/o/token/{$}", RevokePath: "/o/revoke_token/{$}", Lifetime: time.Hour}
	o := guarded(oauth, now)
	o.Endpoints = append(o.Endpoints, toyOptions().Endpoints[:3]...)
	o.State = state
	kit, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(kit)
	t.Cleanup(func() { server.Close(); kit.Close() })
	return driver{t, server.URL}
}

func TestState(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "toy.state")
	wall := newClock()
	d := restart(t, state, wall.Now)
	shop := &listener{}
	d.listen(shop)
	pending, approved := d.mustCreate("k1"), d.mustCreate("k2")
	d.lay(`{"on":"create","do":"webhook_never"}`)
	silent := d.mustCreate("k3")
	d.control("POST", "settle", `{"id":"`+approved+`","status":"approved"}`, nil)
	d.control("POST", "mode", `{"name":"bank","value":"blue"}`, nil)
	good, revoked := d.token("Authorization", basic("id", "secret")), d.token("Authorization", basic("id", "secret"))
	d.send("POST", "/o/revoke_token/", form("token", revoked, "client_id", "id", "client_secret", "secret"))
	d.control("POST", "clock", `{"advance_s":1700}`, nil)
	d.deliveries()
	before := d.ledger()

	restart(t, state, wall.Now)
	d = restart(t, state, wall.Now) // reads what the one before has rewritten
	if after := d.ledger(); !slices.Equal(after, before) || len(after) != 3 {
		t.Errorf("ledger\n%s\nwas\n%s", pretty(after), pretty(before))
	}
	if got := d.send("GET", "/charges/"+approved, ""); !strings.Contains(got.Body, "moved to approved") {
		t.Errorf("the provider's own record: %s", got.Body)
	}
	if got := d.create("k1"); got.Status != 409 {
		t.Errorf("a key is forgotten: %+v", got)
	}
	if got := d.send("GET", "/banks", ""); got.Body != `["blue"]` {
		t.Errorf("the mode is forgotten: %s", got.Body)
	}
	for token, want := range map[string]int{good: 200, revoked: 401} {
		if got := d.send("GET", "/balance", "", "Authorization", "Bearer "+token); got.Status != want {
			t.Errorf("a token: %+v, want %d", got, want)
		}
	}
	d.control("POST", "clock", `{"advance_s":100}`, nil) // 1,800 s in all: the clock is remembered
	if got := d.ledger()[0]; got.ID != pending || got.Status != sandbox.Expired {
		t.Errorf("after 1,700 and 100 s: %+v", got)
	}
	d.control("POST", "settle", `{"id":"`+silent+`","status":"approved"}`, nil)
	if d.deliveries(); len(shop.received()) != 2 { // approved and expired; none of the silent one
		t.Errorf("webhooks after the restart: %q", shop.received())
	}

	d.control("POST", "reset", "", nil)
	if d = restart(t, state, wall.Now); len(d.ledger()) != 0 {
		t.Error("a reset does not reach the state file")
	}
}

func TestStateAfterAKill(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "toy.state")
	d := restart(t, state, time.Now)
	d.mustCreate("k1")
	d.mustCreate("k2")
	whole, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	last := strings.LastIndex(strings.TrimSuffix(string(whole), "\n"), "\n") + 1
	for cut := last; cut < len(whole); cut += 7 { // the write of k2 was cut off
		if err := os.WriteFile(state, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		d := restart(t, state, time.Now)
		if got := d.ledger(); len(got) != 1 || got[0].Key != "k1" {
			t.Fatalf("cut at byte %d: %s", cut, pretty(got))
		}
		d.mustCreate("k2")
		if d = restart(t, state, time.Now); len(d.ledger()) != 2 {
			t.Fatalf("cut at byte %d: what followed is lost", cut)
		}
	}
}

func TestStateRefusals(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ content, says string }{
		"another provider's": {`{"sandbox":"acme"}` + "\n", `sandbox toy: state file: %s: it is not the state of the sandbox of toy: its first line names "acme"`},
		"not a state file":   {"<html>\n", "sandbox toy: state file: %s: line 1: invalid character"},
		"a broken line":      {`{"sandbox":"toy"}` + "\n{\n{}\n", "sandbox toy: state file: %s: line 2: unexpected end"},
	} {
		state := filepath.Join(t.TempDir(), "toy.state")
		if err := os.WriteFile(state, []byte(tc.content), 0o600); err != nil {
			t.Fatal(err)
		}
		o := toyOptions()
		o.State = state
		_, err := sandbox.New(o)
		if want := strings.Replace(tc.says, "%s", state, 1); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", name, err, want)
		}
		if kept, _ := os.ReadFile(state); string(kept) != tc.content {
			t.Errorf("%s: the file was changed to %q", name, kept)
		}
	}
	o := toyOptions()
	o.State = filepath.Join(t.TempDir(), "nowhere", "toy.state")
	if _, err := sandbox.New(o); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a folder that does not exist: %v", err)
	}
}
