package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/payment"
)

// A stored payment is decided at its time, under its ID, with the health that was recorded of those that run.
func TestFactsThen(t *testing.T) {
	t.Parallel()
	then := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	known := map[string]routing.ProviderFacts{"a": routing.EverythingFacts("COP"), "b": routing.EverythingFacts("COP")}
	facts := factsThen(paymentAnswer{
		Payment: payment.Payment{ID: "pay_1"},
		Decision: &payment.Decision{DecidedAt: then, Snapshot: map[string]payment.Health{
			"a": {Paused: true}, "gone": {Paused: true},
		}},
	}, known)
	if !facts.Now.Equal(then) || facts.PaymentID != "pay_1" || len(facts.Providers) != 2 {
		t.Errorf("got %+v", facts)
	}
	if a, b := facts.Providers["a"], facts.Providers["b"]; !a.Health.Paused || len(a.Capabilities) == 0 || b.Health.Paused {
		t.Errorf("a is %+v, b is %+v", a, b)
	}
	if known["a"].Health.Paused {
		t.Error("what is known of a has changed for other payments")
	}
}

func TestDecided(t *testing.T) {
	t.Parallel()
	const in = `{"id": "pay_1", "decision": {"route": "r"}} {"id": "pay_2"} {"id": "pay_3", "decision": {"route": "r"}} nonsense`
	var ids []string
	var failed error
	for p, err := range decided(streams{err: new(bytes.Buffer)}, strings.NewReader(in)) {
		if failed = err; err == nil {
			ids = append(ids, p.ID)
		}
	}
	if strings.Join(ids, " ") != "pay_1 pay_3" || failed == nil || !strings.HasPrefix(failed.Error(), "payment 4: ") {
		t.Errorf("got %v, %v", ids, failed)
	}
}

func TestPrintBacktest(t *testing.T) {
	t.Parallel()
	volume := func(n int, amount, cost int64) routing.Volume {
		return routing.Volume{Count: n, Amount: decimal.NewFromInt(amount), Cost: decimal.NewFromInt(cost)}
	}
	b := routing.Backtest{Payments: 30, Elsewhere: maxMoves + 2, Providers: map[string]*routing.Share{
		"b": {Before: volume(1, 2, 3), After: volume(4, 5, 6)},
		"a": {Before: volume(7, 80, 9), After: volume(10, 110, 12), Ended: 4, Succeeded: 3},
	}}
	for i := range maxMoves + 2 {
		b.Moved = append(b.Moved, routing.Move{Payment: fmt.Sprint("pay_", i+1), Amount: payment.Pesos(5), Before: "a", After: "b"})
	}
	var out bytes.Buffer
	if err := printBacktest(&out, &b); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	const head = `22 of 30 payments would go elsewhere.

FIRST CHOICE  PAYMENTS  THEN  AMOUNT  THEN    COST  THEN   SUCCEEDED SO FAR
a             7         10    80.00   110.00  9.00  12.00  3 of 4
b             1         4     2.00    5.00    3.00  6.00   none ended

pay_1  5.00  a -> b
`
	if !strings.HasPrefix(text, head) || !strings.HasSuffix(text, "\npay_20  5.00  a -> b\nand 2 more, which -json names\n") {
		t.Errorf("got\n%s", text)
	}
}

func TestPrintDiff(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 7, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	if err := printDiff(&out, &routing.Diff{Payments: 7, Stored: 3, Changed: 2, Changes: []routing.Change{
		{Before: "rest", What: []string{"route", "reject"}, Payments: 2, ExampleID: "pay_1", At: at},
	}}); err != nil {
		t.Fatal(err)
	}
	const want = `2 of 7 payments would be decided differently.
Tried were 4 payments made up from the conditions, and 3 stored ones: a sample, and no proof that others stay as they are.

rest -> no route: route, reject (2 payments)
  such as pay_1, decided Sat 2026-11-21 07:00
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
}

func TestReadPaymentBound(t *testing.T) {
	t.Parallel()
	const body = `{"operation": "payin"}`
	for size, fits := range map[int]bool{64 << 10: true, 64<<10 + 1: false} {
		in := strings.NewReader(body + strings.Repeat(" ", size-len(body)))
		if _, err := readPayment(streams{in: in}, "-"); (err == nil) != fits || !fits && !strings.Contains(err.Error(), "larger than 64 KiB") {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
