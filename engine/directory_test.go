package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

func TestBanks(t *testing.T) {
	t.Parallel()
	b := setup(t, two)
	b.providers["acme"].SetBanks(
		provider.Bank{Code: "0", Name: "A continuación seleccione su banco"}, provider.Bank{Name: "none"},
		provider.Bank{Code: "1022", Name: "BANCO UNION"}, provider.Bank{Code: "1007", Name: "BANCOLOMBIA"})
	b.providers["bravo"].SetBanks(provider.Bank{Code: "1007", Name: "Bancolombia S.A."}, provider.Bank{Code: "1551", Name: "BANCO UNION"})
	b.start(t)
	banks, err := b.Banks(t.Context(), payment.PSE)
	want := []engine.Bank{ // by code alone, whatever the names
		{Code: "1022", Name: "BANCO UNION", Methods: []payment.Method{payment.PSE}, Providers: []string{"acme"}},
		{Code: "1551", Name: "BANCO UNION", Methods: []payment.Method{payment.PSE}, Providers: []string{"bravo"}},
		{Code: "1007", Name: "BANCOLOMBIA", Methods: []payment.Method{payment.PSE}, Providers: []string{"acme", "bravo"}},
	}
	if err != nil || asJSON(t, banks) != asJSON(t, want) {
		t.Fatalf("got %+v, %v", banks, err)
	}
	until(t, "a payment to a bank that only one has goes there", func() bool {
		d, err := b.Decide(t.Context(), request())
		return err == nil && len(d.Providers) == 1 && d.Providers[0] == "acme"
	})
	if other, err := b.Banks(t.Context(), payment.BankTransfer); err != nil || len(other) != 0 {
		t.Errorf("banks of another method: %+v, %v", other, err)
	}
}

// A provider that has banks by another method only has no list here, which is no list that nothing is on.
func TestNoListOfBanks(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	b.providers["acme"].SetBanks(provider.Bank{Code: "1007", Name: "Bancolombia"}).FailReads(provider.Errorf(provider.CodeInvalid, "no banks by pse"))
	b.start(t)
	if banks, err := b.Banks(t.Context(), payment.PSE); err != nil || len(banks) != 0 {
		t.Errorf("got %v, %v", banks, err)
	}
	if err := errors.Join(b.Pause(t.Context(), "acme", "x"), b.Resume(t.Context(), "acme")); err != nil {
		t.Fatal(err) // what is known of the providers is read anew by it
	}
	if d, err := b.Decide(t.Context(), request()); err != nil || len(d.Providers) != 1 {
		t.Errorf("got %+v, %v", d, err)
	}
	b.providers["acme"].FailReads(nil)
	if banks, err := b.Banks(t.Context(), payment.PSE); err != nil || len(banks) != 0 {
		t.Errorf("it was asked again within the day: %v, %v", banks, err)
	}
}

// biller is a company whose bills can be paid, as the scripted provider lists it.
func biller(id, name string) provider.Biller { return provider.Biller{ID: id, Name: name} }

func billerIDs(t *testing.T, e *engine.Engine) []string {
	t.Helper()
	page, err := e.Billers(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, b := range page.Billers {
		ids = append(ids, b.ID)
	}
	return ids
}

func TestBillers(t *testing.T) {
	t.Parallel()
	b := setup(t, two)
	b.providers["acme"].SetBills([]provider.Biller{biller("etb", "ETB"), biller("codensa", "Codensa"), {ID: "claro", Name: "Claro", Queryable: true}})
	b.providers["bravo"].SetBills([]provider.Biller{{ID: "claro", Name: "Claro Colombia", AmountEditable: true}, biller("vanti", "Vanti")})
	b.start(t)
	page, err := b.Billers(t.Context(), "", 2)
	want := []engine.Biller{
		{ID: "claro", Name: "Claro", AmountEditable: true, Queryable: true, Providers: []string{"acme", "bravo"}},
		{ID: "codensa", Name: "Codensa", Providers: []string{"acme"}},
	}
	if err != nil || asJSON(t, page.Billers) != asJSON(t, want) {
		t.Fatalf("got %+v, %v", page, err)
	}
	page, err = b.Billers(t.Context(), page.Next, 2)
	if err != nil || len(page.Billers) != 2 || page.Billers[0].ID != "etb" || page.Billers[1].ID != "vanti" || page.Next != "" {
		t.Errorf("second page: %+v, %v", page, err)
	}
}

// Lists are read anew after a day, and their last good copies outlast failures and restarts.
func TestListsAreKept(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	acme := b.providers["acme"]
	acme.SetBanks(provider.Bank{Code: "1022", Name: "Banco Union"}).SetBills([]provider.Biller{biller("etb", "ETB")})
	b.start(t)
	until(t, "both lists are read", func() bool {
		_, banks := b.store.Setting(t.Context(), "banks/acme/pse")
		_, billers := b.store.Setting(t.Context(), "billers/acme")
		return banks == nil && billers == nil
	})
	b = b.crash(t).start(t)
	acme.FailReads(provider.Errorf(provider.CodeUnavailable, "down"))
	acme.SetBanks(provider.Bank{Code: "1007", Name: "Bancolombia"}).SetBills([]provider.Biller{biller("vanti", "Vanti")})
	b.clock.Advance(25 * time.Hour)
	if ids := billerIDs(t, b.Engine); !slices.Equal(ids, []string{"etb"}) {
		t.Errorf("while the provider is down: %v", ids)
	}
	acme.FailReads(nil)
	until(t, "the new lists are read", func() bool {
		b.clock.Advance(30 * time.Second)
		banks, err := b.Banks(t.Context(), "")
		return err == nil && banks[0].Code == "1007" && slices.Equal(billerIDs(t, b.Engine), []string{"vanti"})
	})

	acme.SetBanks().SetBills([]provider.Biller{biller("etb", "ETB")})
	read := b.clock.Now()
	b.clock.Advance(23*time.Hour + 30*time.Minute)
	until(t, "the list of billers is read again", func() bool {
		b.clock.Advance(time.Minute)
		return slices.Equal(billerIDs(t, b.Engine), []string{"etb"})
	})
	if age := b.clock.Now().Sub(read); age > 36*time.Hour {
		t.Errorf("it was read again after %s", age)
	}
	if banks, err := b.Banks(t.Context(), ""); err != nil || len(banks) != 1 {
		t.Errorf("an empty list took the place of a good one: %v, %v", banks, err)
	}
}

func TestBill(t *testing.T) {
	t.Parallel()
	declined := provider.Errorf(provider.CodeDeclined, "it is paid")
	down := provider.Errorf(provider.CodeUnavailable, "down")
	paid := provider.BillDetail{Biller: "etb", Reference: "1", Amount: payment.Pesos(50_000), AmountEditable: true}
	for name, c := range map[string]struct {
		acme, bravo error
		biller      string
		want        string // the provider, or the error's code
	}{
		"the first that has the biller tells":   {biller: "etb", want: "acme"},
		"one without the biller is not asked":   {biller: "vanti", want: "bravo"},
		"another is asked when one cannot tell": {acme: down, biller: "etb", want: "bravo"},
		"a final no is not asked for twice":     {acme: declined, biller: "etb", want: "declined"},
		"a biller that nobody has is not found": {biller: "acueducto", want: "not found"},
		"all that have it are down":             {acme: down, bravo: down, biller: "etb", want: "unavailable"},
		"a bill that nobody has":                {biller: "codensa", want: "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, two)
			b.providers["acme"].SetBills([]provider.Biller{biller("etb", "ETB"), biller("codensa", "Codensa")}, paid)
			b.providers["bravo"].SetBills([]provider.Biller{biller("etb", "ETB"), biller("vanti", "Vanti")}, paid,
				provider.BillDetail{Biller: "vanti", Reference: "1", Amount: payment.Pesos(50_000), AmountEditable: true})
			b.start(t)
			billerIDs(t, b.Engine) // the lists are read
			b.providers["acme"].FailReads(c.acme)
			b.providers["bravo"].FailReads(c.bravo)
			bill, err := b.Bill(t.Context(), c.biller, "1")
			got := bill.Provider
			var refused *provider.Error
			switch {
			case errors.Is(err, engine.ErrNotFound):
				got = "not found"
			case errors.As(err, &refused):
				got = string(refused.Code)
			case err != nil || bill != (engine.Bill{Biller: c.biller, Reference: "1", Amount: payment.Pesos(50_000), AmountEditable: true, Provider: got}):
				t.Errorf("got %+v, %v", bill, err)
			}
			if got != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

// misreader tells another bill than the one asked for.
type misreader struct{ *providertest.Provider }

func (m misreader) Bill(ctx context.Context, biller, _ string) (provider.BillDetail, error) {
	return m.Provider.Bill(ctx, biller, "2")
}

func TestBillOfAnother(t *testing.T) {
	t.Parallel()
	st, err := pebblestore.Open("data", &pebblestore.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	acme := misreader{providertest.New("acme").SetBills([]provider.Biller{biller("etb", "ETB")}, provider.BillDetail{Biller: "etb", Reference: "2"})}
	e, err := engine.New(t.Context(), engine.Config{Rules: writeRules(t, one), Store: st, Providers: map[string]provider.Provider{"acme": acme}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if bill, err := e.Bill(t.Context(), "etb", "1"); provider.CodeOf(err) != provider.CodeUnknown {
		t.Errorf("got %+v, %v", bill, err)
	}
}

func TestBalance(t *testing.T) {
	t.Parallel()
	b := setup(t, two)
	acme := b.providers["acme"].SetBalance(provider.Balance{Available: payment.Pesos(900_000), Overdraft: payment.Pesos(5), Currency: "COP"})
	b.start(t)
	told := func() engine.Balance {
		t.Helper()
		statuses := b.Providers(t.Context())
		if len(statuses) != 2 || statuses[0].Balance == nil || statuses[1].Balance != nil {
			t.Fatalf("got %+v", statuses)
		}
		return *statuses[0].Balance
	}
	first := engine.Balance{Available: payment.Pesos(900_000), Overdraft: payment.Pesos(5), Currency: "COP", ReadAt: epoch}
	if got := told(); got != first {
		t.Errorf("got %+v", got)
	}
	acme.SetBalance(provider.Balance{Available: payment.Pesos(1), Currency: "COP"})
	if got := told(); got != first {
		t.Errorf("it is asked again at once: %+v", got)
	}
	b.clock.Advance(10 * time.Second)
	if got := told(); got.Available != payment.Pesos(1) || got.ReadAt != epoch.Add(10*time.Second) {
		t.Errorf("after ten seconds: %+v", got)
	}
	acme.FailReads(provider.Errorf(provider.CodeUnavailable, "down"))
	b.clock.Advance(time.Minute)
	if got := told(); got.Available != payment.Pesos(1) {
		t.Errorf("while it is down: %+v", got)
	}
}

// What was read while the clock was days ahead is read anew once it is right, also over a restart.
func TestClockThatWasAheadKeepsNothingOld(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	b.clock.Set(epoch.AddDate(1, 0, 0))
	acme := b.providers["acme"].SetBanks(provider.Bank{Code: "1022", Name: "Banco Union"})
	acme.SetBalance(provider.Balance{Available: payment.Pesos(2), Currency: "COP"}).FailChecks(provider.Errorf(provider.CodeUnauthorized, "wrong secret"))
	b.start(t)
	until(t, "the list is kept, and the provider is unhealthy", func() bool {
		_, err := b.store.Setting(t.Context(), "banks/acme/pse")
		return err == nil && !b.Providers(t.Context())[0].Healthy
	})
	acme.SetBanks(provider.Bank{Code: "1007", Name: "Bancolombia"}).SetBalance(provider.Balance{Available: payment.Pesos(1), Currency: "COP"}).FailChecks(nil)
	b.clock.Set(epoch)
	if got := b.Providers(t.Context())[0].Balance.Available; got != payment.Pesos(1) {
		t.Errorf("the balance of then is told: %s", got)
	}
	until(t, "it is checked again", func() bool {
		b.clock.Advance(time.Second)
		return b.Providers(t.Context())[0].Healthy
	})
	until(t, "the list is read again", func() bool {
		b.clock.Advance(time.Second)
		banks, err := b.Banks(t.Context(), "")
		return err == nil && len(banks) == 1 && banks[0].Code == "1007"
	})
}
