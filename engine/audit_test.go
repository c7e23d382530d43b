package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// audited returns the acts of the log, in words.
func (b *bundle) audited(t *testing.T) []string {
	t.Helper()
	entries, err := b.Audit(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var acts []string
	for i, a := range entries {
		if a.Seq != int64(i)+1 || !a.At.Equal(b.clock.Now()) {
			t.Errorf("entry %d: %+v", i+1, a)
		}
		acts = append(acts, strings.Join(strings.Fields(fmt.Sprint(a.Actor, " ", a.Act, " ", a.Subject, " ", a.Before, " ", a.After, " ", a.Note)), " "))
	}
	return acts
}

func TestAudit(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	path := writeRules(t, one)
	b.configure = func(c *engine.Config) { c.Rules = path }
	b.providers["acme"].Always(providertest.Lose("")).Speechless()
	b.start(t)
	ctx := engine.WithActor(t.Context(), "key ops")
	p := b.pay(t, "order-1")
	if p.Status != payment.InDoubt {
		t.Fatal(p.Status)
	}
	before := b.Rules().Hash()
	rewrite(t, path, one+"\n")
	for _, err := range []error{
		b.Pause(ctx, "acme", "ticket 1234"), b.Resume(ctx, "acme"), b.Reload(ctx),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Resolve(ctx, p.ID, payment.Failed, "not in their panel"); err != nil {
		t.Fatal(err)
	}
	// What is refused at once is no act.
	if _, err := b.Resolve(ctx, p.ID, payment.Failed, "again"); !errors.Is(err, engine.ErrNotResolvable) {
		t.Error(err)
	}
	if err := b.Pause(ctx, "nobody", ""); !errors.Is(err, engine.ErrNotFound) {
		t.Error(err)
	}
	rewrite(t, path, "nonsense")
	if err := b.Reload(ctx); err == nil {
		t.Error("nonsense was taken")
	}
	rewrite(t, path, one)
	want := []string{
		"key ops pause acme ticket 1234", "key ops resume acme", "key ops reload " + before + " " + b.Rules().Hash(),
		"key ops resolve " + p.ID + " failed not in their panel",
	}
	if got := b.audited(t); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	after := b.crash(t).start(t)
	if err := after.Pause(ctx, "acme", ""); err != nil {
		t.Fatal(err)
	}
	report, err := after.VerifyAudit(t.Context())
	if err != nil || report.Entries != 5 || len(report.Faults) > 0 || len(report.Head) != 64 {
		t.Errorf("after a power loss: %+v, %v", report, err)
	}
}

// deaf is a store that writes no entry of the audit log.
type deaf struct{ store.Store }

func (d deaf) InitSetting(ctx context.Context, name string, value []byte) ([]byte, error) {
	if strings.HasPrefix(name, "audit/") {
		return nil, errors.New("input/output error")
	}
	return d.Store.InitSetting(ctx, name, value)
}

// What cannot be written into the log does not happen.
func TestUnauditedActs(t *testing.T) {
	t.Parallel()
	path := writeRules(t, one)
	b := setup(t, one)
	b.configure = func(c *engine.Config) { c.Rules, c.Store = path, deaf{c.Store} }
	b.providers["acme"].Always(providertest.Lose("")).Speechless()
	b.start(t)
	p := b.pay(t, "order-1")
	hash := b.Rules().Hash()
	rewrite(t, path, one+"\n")
	_, resolved := b.Resolve(t.Context(), p.ID, payment.Failed, "why")
	for act, err := range map[string]error{"pause": b.Pause(t.Context(), "acme", ""), "reload": b.Reload(t.Context()), "resolve": resolved} {
		if err == nil || !strings.Contains(err.Error(), "the audit log cannot be written, so nothing was done: input/output error") {
			t.Errorf("%s: %v", act, err)
		}
	}
	if p, _ = b.Get(t.Context(), p.ID); p.Status != payment.InDoubt || b.Rules().Hash() != hash || b.status(t).Paused {
		t.Errorf("%s, rules %s, paused: %t", p.Status, b.Rules().Hash(), b.status(t).Paused)
	}
}

// Whatever is done to the log is found, and named.
func TestVerifyAudit(t *testing.T) {
	t.Parallel()
	const head = "audit/head"
	name := func(seq int) string { return fmt.Sprintf("audit/%012d", seq) }
	for _, c := range []struct {
		name   string
		tamper func(entries map[string][]byte)
		want   []string
	}{
		{"nothing", func(map[string][]byte) {}, nil},
		{"a note", func(m map[string][]byte) {
			m[name(2)] = bytes.Replace(m[name(2)], []byte("ticket-2"), []byte("ticket-9"), 1)
		}, []string{"entry 2 was changed"}},
		{"a field more", func(m map[string][]byte) { m[name(2)] = append([]byte(`{"x":1,`), m[name(2)][1:]...) }, []string{"entry 2 was changed"}},
		{"garbage", func(m map[string][]byte) { m[name(3)] = []byte("{") }, []string{"entry 3 was changed"}},
		{"one is missing", func(m map[string][]byte) { delete(m, name(2)) }, []string{"entry 2 is missing"}},
		{"the last is missing", func(m map[string][]byte) { delete(m, name(4)) }, []string{"entry 4 is missing"}},
		{"two in another order", func(m map[string][]byte) { m[name(2)], m[name(3)] = m[name(3)], m[name(2)] }, []string{
			"entry 3 stands in the place of entry 2", "entry 2 stands in the place of entry 3", "entry 4 does not follow",
		}},
		{"the head is missing", func(m map[string][]byte) { delete(m, head) }, []string{"the head of the log is missing"}},
		{"another head", func(m map[string][]byte) { m[head] = []byte(`{"seq":4,"hash":"00"}`) }, []string{"entry 4 is not the one that was written last"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := run(t, one)
			for i := range 4 {
				if err := b.Pause(t.Context(), "acme", fmt.Sprint("ticket-", i+1)); err != nil {
					t.Fatal(err)
				}
			}
			stored := map[string][]byte{}
			for _, n := range []string{head, name(1), name(2), name(3), name(4)} {
				value, err := b.store.Setting(t.Context(), n)
				if err != nil {
					t.Fatal(err)
				}
				stored[n] = value
			}
			c.tamper(stored)
			report, err := engine.VerifyAudit(t.Context(), tampered{b.store, stored})
			if err != nil || len(report.Faults) != len(c.want) {
				t.Fatalf("got %+v, %v; want %q", report, err, c.want)
			}
			for i, want := range c.want {
				if !strings.Contains(report.Faults[i].Message, want) {
					t.Errorf("got %q, want %q", report.Faults[i].Message, want)
				}
			}
		})
	}
}

// tampered is a store whose settings somebody has changed.
type tampered struct {
	store.Store
	settings map[string][]byte
}

func (s tampered) Setting(_ context.Context, name string) ([]byte, error) {
	if value, ok := s.settings[name]; ok {
		return value, nil
	}
	return nil, store.ErrNotFound
}

func TestAuditOfAnyText(t *testing.T) {
	t.Parallel()
	b := run(t, one)
	if err := b.Pause(t.Context(), "acme", "caf\xe9"); err != nil {
		t.Fatal(err)
	}
	if report, err := b.VerifyAudit(t.Context()); err != nil || len(report.Faults) > 0 || report.Entries != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	if acts, err := b.Audit(t.Context(), math.MaxInt64, 10); err != nil || len(acts) != 0 {
		t.Errorf("%+v, %v", acts, err)
	}
	if err := b.store.PutSetting(t.Context(), "audit/head", []byte(`{"seq":9000000000000000000,"hash":"x"}`)); err != nil {
		t.Fatal(err)
	}
	if report, err := b.VerifyAudit(t.Context()); err != nil || len(report.Faults) < 100 || len(report.Faults) > 2000 {
		t.Errorf("%d faults, %v", len(report.Faults), err)
	}
}
