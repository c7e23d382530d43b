package routing

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// strategyRules are one route over providers a, b and c.
func strategyRules(t testing.TB, providers, settings string) *Rules {
	t.Helper()
	return mustLoad(t, "provider \"a\" { fee = { fixed = 1 } }\nprovider \"b\" { fee = { percent = 1 } }\n"+
		"provider \"c\" { fee = { percent = 2 } }\n"+
		"route \"r\" {\n  providers = "+providers+"\n  "+settings+"\n}\n")
}

// wellFacts are facts of healthy providers a, b and c, and a payment's id.
func wellFacts(i int) Facts {
	f := testFacts()
	f.PaymentID = fmt.Sprintf("pay_%06d", i)
	f.Providers["a"] = f.Providers["b"]
	f.Providers["c"] = f.Providers["b"]
	return f
}

func TestSplit(t *testing.T) {
	t.Parallel()
	const payments = 100_000
	req := testRequest()
	two := strategyRules(t, `["a", "b"]`, "strategy = \"split\"\n split = { a = 70, b = 30 }")
	three := strategyRules(t, `["a", "b", "c"]`, "strategy = \"split\"\n split = { a = 63, b = 27, c = 10 }")
	first := map[string]int{}
	for i := range payments {
		d := two.Decide(&req, wellFacts(i))
		first[d.Providers[0]]++
		if grown := three.Decide(&req, wellFacts(i)); grown.Providers[0] != "c" && grown.Providers[0] != d.Providers[0] {
			t.Fatalf("payment %d moved from %s to %s when c was added", i, d.Providers[0], grown.Providers[0])
		} else if grown.Providers[0] == "c" {
			first["c"]++
		}
	}
	for name, want := range map[string]int{"a": 70_000, "b": 30_000, "c": 10_000} {
		if got := first[name]; got < want-payments/100 || got > want+payments/100 {
			t.Errorf("%s came first %d times of %d, want %d", name, got, payments, want)
		}
	}
	t.Run("what one cannot take is shared out by the others' weights", func(t *testing.T) {
		shares := map[string]int{}
		for i := range 10_000 {
			facts := wellFacts(i)
			delete(facts.Providers, "a")
			shares[three.Decide(&req, facts).Providers[0]]++
		}
		if b := shares["b"]; b < 7200 || b > 7400 { // 27 of 37
			t.Errorf("b came first %d times of 10000, want about 7297", b)
		}
	})
}

// bank is a provider in a simulation, one payment a second.
type bank struct {
	rate  float64     // of success
	ended []time.Time // its attempts
	good  []bool
}

// simulate sends payments from one second to another, and returns how often each bank came first.
func simulate(r *Rules, banks map[string]*bank, random *rand.Rand, from, to int) map[string]int {
	req, first := testRequest(), map[string]int{}
	start := testFacts().Now
	for second := from; second < to; second++ {
		facts := wellFacts(random.Int())
		facts.Now = start.Add(time.Duration(second) * time.Second)
		facts.Outcomes = func(name string, s SuccessRate, _ *payment.Request) (successes, failures int) {
			b := banks[name]
			old, _ := slices.BinarySearchFunc(b.ended, facts.Now.Add(-s.Window), time.Time.Compare)
			b.ended, b.good = b.ended[old:], b.good[old:]
			for _, good := range b.good {
				if good {
					successes++
				}
			}
			return successes, len(b.good) - successes
		}
		name := r.Decide(&req, facts).Providers[0]
		first[name]++
		b := banks[name]
		b.ended, b.good = append(b.ended, facts.Now), append(b.good, random.Float64() < b.rate)
	}
	return first
}

func TestSuccessRate(t *testing.T) {
	t.Parallel()
	r := strategyRules(t, `["a", "b", "c"]`, "strategy = \"success_rate\"\n success_rate = { window = \"10m\" }")
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		banks := map[string]*bank{"a": {rate: 0.7}, "b": {rate: 0.95}, "c": {rate: 0.6}}
		simulate(r, banks, random, 0, 300)
		// 95 % go to the best one but for what explores.
		first := simulate(r, banks, random, 300, 1300)
		if first["b"] < 900 {
			t.Errorf("seed %d: the best bank is not found within 300 payments: then %v", seed, first)
		}
		if first["a"] < 10 || first["c"] < 10 {
			t.Errorf("seed %d: a bank starves: %v of 1000", seed, first)
		}
		banks["b"].rate = 0.05
		simulate(r, banks, random, 1300, 1600)
		if first = simulate(r, banks, random, 1600, 1900); first["b"] > 30 {
			t.Errorf("seed %d: the bank that turned bad is not dropped within 300 payments: then %v", seed, first)
		}
	}
}

func TestSuccessRateGroup(t *testing.T) {
	t.Parallel()
	s := SuccessRate{By: []string{"method", "payer.bank"}}
	req := testRequest()
	other := req
	other.Payer.Name, other.Amount = "Somebody Else", payment.Pesos(1)
	if s.Group(&req) != s.Group(&other) {
		t.Error("fields outside of by divide a group")
	}
	other.Payer.Bank = "1051"
	if s.Group(&req) == s.Group(&other) {
		t.Error("payments at two banks are one group")
	}
}

// TestDecisionsAreReplayed makes decisions again from what they recorded.
func TestDecisionsAreReplayed(t *testing.T) {
	t.Parallel()
	var all []*Rules
	for _, settings := range []string{
		"", "strategy = \"split\"\n split = { a = 50, b = 50 }", "strategy = \"least_cost\"",
		"strategy = \"success_rate\"\n success_rate = { explore = 0.5 }",
	} {
		all = append(all, strategyRules(t, `["a", "b", "c"]`, settings))
	}
	random := rand.New(rand.NewPCG(7, 7))
	orders := map[string]bool{}
	for i := range 2000 {
		req, facts, r := testRequest(), wellFacts(i), all[i%len(all)]
		req.Amount = payment.Pesos(random.Int64N(300) + 1)
		for name, p := range facts.Providers {
			p.Health = payment.Health{
				Unhealthy: random.IntN(5) == 0, BreakerOpen: random.IntN(5) == 0, AtLimit: random.IntN(5) == 0,
				Paused: random.IntN(5) == 0, Reason: "for some reason",
			}
			facts.Providers[name] = p
		}
		facts.Outcomes = func(string, SuccessRate, *payment.Request) (int, int) { return random.IntN(10), random.IntN(10) }
		d := r.Decide(&req, facts)
		again := wellFacts(i)
		again.Now = d.DecidedAt
		for name, health := range d.Snapshot {
			p := again.Providers[name]
			p.Health = health
			again.Providers[name] = p
		}
		if got, want := asJSON(t, r.Decide(&req, again)), asJSON(t, d); got != want {
			t.Fatalf("decision %d: got %s\nwant %s", i, got, want)
		}
		orders[fmt.Sprint(d.Providers)] = true
	}
	if len(orders) != 16 {
		t.Errorf("the decisions had only these orders: %v", slices.Sorted(maps.Keys(orders)))
	}
}

func TestWindowContains(t *testing.T) {
	t.Parallel()
	weekend := []time.Weekday{time.Saturday, time.Sunday}
	night := Window{From: 22 * time.Hour, To: 5 * time.Hour, Days: weekend}
	noon := Window{From: 12 * time.Hour, To: 13 * time.Hour, Days: weekend}
	whole := Window{To: 24 * time.Hour, Days: weekend}
	for _, c := range []struct {
		window Window
		at     string // in Bogota; 2026-11-21 is a Saturday
		want   bool
	}{
		{night, "2026-11-21T21:59:59.999", false}, {night, "2026-11-21T22:00:00", true}, {night, "2026-11-22T04:59:59", true},
		{night, "2026-11-22T05:00:00", false}, {night, "2026-11-23T04:59:59", true}, {night, "2026-11-23T22:00:00", false},
		{night, "2026-11-21T04:00:00", false}, {noon, "2026-11-21T12:00:00", true}, {noon, "2026-11-21T13:00:00", false},
		{noon, "2026-11-20T12:30:00", false}, {whole, "2026-11-22T23:59:59", true}, {whole, "2026-11-23T00:00:00", false},
	} {
		at, err := time.ParseInLocation("2006-01-02T15:04:05", c.at, bogota)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.window.Contains(at.UTC()); got != c.want {
			t.Errorf("%v contains %s: %v, want %v", c.window, c.at, got, c.want)
		}
	}
}
