package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

// While a person looks at a mismatch, another attempt succeeds: whatever the person decides about the first one, the
// success is not dropped.
func TestSuccessBesideAResolvedMismatch(t *testing.T) {
	t.Parallel()
	for decided, last := range map[payment.Status]payment.EventType{
		payment.Failed: payment.EventLateSuccess, payment.Rejected: payment.EventLateSuccess, payment.Succeeded: payment.EventDoublePayment,
	} {
		t.Run(string(decided), func(t *testing.T) {
			t.Parallel()
			b := setup(t, two)
			b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true, AbandonIfUnanswered: true, ExpiresAfter: payment.Duration(time.Hour)}).
				Script(providertest.Lose(provider.Pending))
			b.start(t)
			p := b.pay(t, "order-1")
			b.providers["acme"].Restate(p.Attempts[0].Key, payment.Pesos(1))
			b.providers["bravo"].Settle(p.Attempts[1].Key, provider.Succeeded)
			for p.Attempts[1].Status != payment.AttemptSucceeded {
				var err error
				if p, err = b.Refresh(t.Context(), p.ID); err != nil {
					t.Fatal(err)
				}
			}
			if p.Status != payment.InDoubt {
				t.Fatalf("it is %s", p.Status)
			}
			p, err := b.Resolve(t.Context(), p.ID, decided, "what acme's panel says of its attempt")
			if types := b.types(t, p.ID); err != nil || p.Status != payment.Succeeded || !slices.Contains(types, last) {
				t.Errorf("it is %s: %v, %v", p.Status, types, err)
			}
		})
	}
}

// An unanswered pay-in is not closed by what another attempt's provider says.
func TestOrphanIsNotClosedByAnotherAttemptsAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, two)
	page := payment.Recovery{LookupByKey: true, AbandonIfUnanswered: true, ExpiresAfter: payment.Duration(45 * time.Minute)}
	b.providers["acme"].SetRecovery(page).Script(providertest.LoseBefore())
	b.providers["bravo"].SetRecovery(page).Script(providertest.Lose(provider.Pending))
	b.start(t)
	p := b.pay(t, "order-1")
	if p.Status != payment.InDoubt || len(p.Attempts) != 2 {
		t.Fatalf("%s after %d attempts", p.Status, len(p.Attempts))
	}
	b.providers["bravo"].Settle(p.Attempts[1].Key, provider.Succeeded)
	b.providers["bravo"].FailLookups(provider.Errorf(provider.CodeUnavailable, "down"))
	for b.clock.Now().Before(epoch.Add(2*time.Hour)) && p.Status == payment.InDoubt {
		b.lookedAgain(t, p.ID)
		p, _ = b.Get(t.Context(), p.ID)
	}
	if p.Status != payment.InDoubt {
		t.Fatalf("it is %s although its provider could not be asked", p.Status)
	}
	b.providers["bravo"].FailLookups(nil)
	if p, err := b.Refresh(t.Context(), p.ID); err != nil || p.Status != payment.Succeeded {
		t.Errorf("it is %s, %v", p.Status, err)
	}
}

// One whose provider cannot be asked is closed whatever becomes of another attempt.
func TestOrphanThatCannotBeAskedAbout(t *testing.T) {
	t.Parallel()
	b := setup(t, two)
	page := payment.Recovery{LookupByKey: true, AbandonIfUnanswered: true, ExpiresAfter: payment.Duration(45 * time.Minute)}
	b.providers["acme"].SetRecovery(page).Script(providertest.Lose(provider.Pending))
	page.LookupByKey = false
	b.providers["bravo"].SetRecovery(page).Script(providertest.Lose(provider.Pending))
	b.start(t)
	p := b.pay(t, "order-1")
	for b.clock.Now().Before(epoch.Add(2*time.Hour)) && p.Status == payment.InDoubt {
		b.lookAgain(t, p.ID)
		p, _ = b.Refresh(t.Context(), p.ID) // waits for the look that is due, or is it
	}
	if p.Status != payment.Expired {
		t.Errorf("it is %s after two hours: %v", p.Status, b.types(t, p.ID))
	}
}

// Only a page that nobody has can be given up: an unanswered payout is never handed to somebody else.
func TestPayoutIsNotAbandoned(t *testing.T) {
	t.Parallel()
	b := setup(t, two)
	for _, p := range b.providers {
		p.SetInfo(func(i *provider.Info) {
			i.Capabilities[0].Operation, i.Capabilities[0].Method, i.Capabilities[0].Required = payment.PayOut, payment.BankTransfer, nil
			i.Capabilities[0].Recovery = payment.Recovery{AbandonIfUnanswered: true}
		})
	}
	b.providers["acme"].Script(providertest.Lose(provider.Succeeded))
	b.start(t)
	r := request()
	r.Operation, r.Method, r.Payer, r.Payee = payment.PayOut, payment.BankTransfer, payment.Party{}, r.Payer
	r.Payee.Account = payment.Account{Type: payment.Savings, Number: "68653284571"}
	p, err := b.Pay(t.Context(), "order-1", r)
	if err != nil || p.Status != payment.InDoubt || len(p.Attempts) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}

// A payment that was closed is looked up when somebody asks for that: a success that shows is not dropped.
func TestRefreshOfAClosedPayment(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	acme := b.providers["acme"].SetRecovery(payment.Recovery{LookupByKey: true}).Script(providertest.Lose(provider.Succeeded))
	b.start(t)
	acme.FailLookups(provider.Errorf(provider.CodeUnavailable, "down"))
	p := b.pay(t, "order-1")
	if _, err := b.Resolve(t.Context(), p.ID, payment.Failed, "it cannot be reached; taken for not paid"); err != nil {
		t.Fatal(err)
	}
	acme.FailLookups(nil)
	p, err := b.Refresh(t.Context(), p.ID)
	if err != nil || p.Status != payment.Succeeded || !slices.Contains(b.types(t, p.ID), payment.EventLateSuccess) {
		t.Errorf("it is %s: %v, %v", p.Status, b.types(t, p.ID), err)
	}
}

// "Never" is how some providers write that a page does not expire; what is made of it can be told in JSON.
func TestPageThatNeverExpires(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(56_000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		b := setup(t, one)
		step := providertest.Redirect()
		step.Change = func(o *provider.Outcome) { o.ExpiresAt = at }
		b.providers["acme"].Script(step)
		b.start(t)
		p := b.pay(t, "order-1")
		asJSON(t, p)
		b.providers["acme"].Settle(p.Attempts[0].Key, provider.Rejected)
		p, err := b.Refresh(t.Context(), p.ID)
		if err != nil || p.Status != payment.Rejected {
			t.Fatalf("it is %s, %v", p.Status, err)
		}
		asJSON(t, p)
		if p.NextLookupAt.IsZero() || p.NextLookupAt.Sub(b.clock.Now()) > 24*time.Hour {
			t.Errorf("it is looked at next at %s", p.NextLookupAt)
		}
	}
}

// Nobody can resolve a mismatch of a payment that is final: a success that its provider then states rightly is not dropped.
func TestSuccessAfterAMismatchOfAFinalPayment(t *testing.T) {
	t.Parallel()
	b := run(t, one)
	acme := b.providers["acme"]
	p := b.pay(t, "order-1")
	key := p.Attempts[0].Key
	acme.Settle(key, provider.Rejected)
	if p, _ = b.Refresh(t.Context(), p.ID); p.Status != payment.Rejected {
		t.Fatal(p.Status)
	}
	acme.Settle(key, provider.Succeeded)
	acme.Restate(key, payment.Pesos(1))
	for range 2 {
		p, err := b.Refresh(t.Context(), p.ID)
		if err != nil || p.Status != payment.Rejected || p.Attempts[0].Code != payment.CodeMismatch {
			t.Fatalf("it is %s: %+v, %v", p.Status, p.Attempts, err)
		}
	}
	if types := b.types(t, p.ID); len(types) != 9 {
		t.Errorf("the same mismatch twice: %v", types)
	}
	acme.Restate(key, payment.Pesos(20_000))
	p, err := b.Refresh(t.Context(), p.ID)
	if types := b.types(t, p.ID); err != nil || p.Status != payment.Succeeded || types[len(types)-1] != payment.EventLateSuccess {
		t.Errorf("it is %s: %v, %v", p.Status, types, err)
	}
}

// A last look that one attempt's provider does not answer is repeated, also where another one's does.
func TestLastLookOfOneOfTwoAttemptsIsRepeated(t *testing.T) {
	t.Parallel()
	for name, rejected := range map[string]time.Duration{"closed before": 0, "closed by that look": time.Hour} {
		t.Run(name, func(t *testing.T) { lastLook(t, rejected) })
	}
}

func lastLook(t *testing.T, rejected time.Duration) {
	t.Parallel()
	b := setup(t, two)
	page := payment.Recovery{LookupByKey: true, AbandonIfUnanswered: true, ExpiresAfter: payment.Duration(45 * time.Minute)}
	acme, bravo := b.providers["acme"], b.providers["bravo"]
	acme.SetRecovery(page).Script(providertest.Lose(provider.Pending))
	bravo.SetRecovery(page)
	b.start(t)
	p := b.pay(t, "order-1")
	acme.Settle(p.Attempts[0].Key, provider.Succeeded)
	acme.FailLookups(provider.Errorf(provider.CodeUnavailable, "down"))
	for !p.Status.Final() || b.clock.Now().Before(epoch.Add(2*time.Hour)) {
		if !b.clock.Now().Before(epoch.Add(rejected)) {
			bravo.Settle(p.Attempts[1].Key, provider.Rejected)
		}
		b.lookAgain(t, p.ID)
		var err error
		if p, err = b.Refresh(t.Context(), p.ID); err != nil { // which waits for the look that is due, or is it
			t.Fatal(err)
		}
	}
	acme.FailLookups(nil)
	b.lookAgain(t, p.ID)
	b.becomes(t, p.ID, payment.Succeeded)
}

// A pending payment that its provider has forgotten is for a person once its page cannot be paid any more. It is still
// handed to nobody else, and what the provider says later counts.
func TestPendingPaymentThatIsForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t, two)
	acme := b.providers["acme"]
	acme.SetRecovery(payment.Recovery{
		LookupByKey: true, ResendSameKey: true, AbsentAfter: payment.Duration(time.Minute), ExpiresAfter: payment.Duration(time.Hour),
	}).HideFor(1 << 30)
	b.start(t)
	p := b.pay(t, "order-1")
	end := p.Attempts[0].DeadlineAt.Add(time.Hour)
	for b.clock.Now().Before(epoch.Add(24 * time.Hour)) {
		b.lookedAgain(t, p.ID)
		var err error
		if p, err = b.Get(t.Context(), p.ID); err != nil {
			t.Fatal(err)
		}
		if doubt := p.Status == payment.InDoubt; doubt == b.clock.Now().Before(end) {
			t.Fatalf("at %s it is %s; its page lives until %s", b.clock.Now(), p.Status, end)
		}
	}
	if p.Failure == nil || p.Action != nil || len(p.Attempts) != 1 || len(acme.Submits()) != 1 {
		t.Errorf("%+v, %v", p, b.types(t, p.ID))
	}
	wantTypes(t, b.types(t, p.ID)[5:], payment.EventLookup, payment.EventInDoubt)
	acme.HideFor(0).Settle(p.Attempts[0].Key, provider.Succeeded)
	b.lookedAgain(t, p.ID)
	b.becomes(t, p.ID, payment.Succeeded)
}
