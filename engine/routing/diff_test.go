package routing

import (
	"strings"
	"testing"
)

// TestSame expects other words for the same to be proved the same, and each change of what they say not to be.
func TestSame(t *testing.T) {
	t.Parallel()
	const text = `
locals {
  retail = ["1007"]
  least  = 70000
}
provider "a" {
  fee         = { fixed = 900, percent = 1 }
  limit       = { in_flight = 5 }
  breaker     = { failures = 3 }
  maintenance = [{ from = "01:00", to = "02:00" }]
  config { base_url = "https://a.example" }
}
provider "b" {}
route "small" {
  when   = "amount < 1000 && method == 'pse'"
  reject = "too small"
}
route "split" {
  when      = "payer.bank in local.retail && amount - tax > 5"
  providers = ["a", "b"]
  strategy  = "split"
  split     = { a = 90, b = 10 }
}
route "rated" {
  when         = "amount * 2 > 5 && amount > 7"
  providers    = ["a", "b"]
  strategy     = "success_rate"
  success_rate = { window = "10m" }
  failover     = { max_attempts = 2 }
}
route "local" {
  when   = "amount - tax > local.least"
  reject = "no"
}
`
	before := mustLoad(t, strings.Replace(text, "local.least", "70000", 1))
	for _, c := range []struct {
		from, to string
		same     bool
	}{
		{"", "", true},
		{"amount < 1000 && method == 'pse'", "'pse' == method && not (amount >= 1000.00)", true},
		{"payer.bank in local.retail", "payer.bank == '1007'", true},
		{"provider \"b\" {}", "# nothing else\nprovider \"c\" {}\nprovider \"b\" {}", true},
		{"amount < 1000", "amount <= 1000", false},
		{"amount < 1000 && ", "", false},
		{"amount < 1000 && ", "amount < 1000 && tax < 5 && ", false},
		{`["1007"]`, `["1051"]`, false},
		{"amount - tax > 5", "amount - tax > 6", false},
		{"too small", "too little", false},
		{`route "split"`, `route "splits"`, false},
		{"{ a = 90, b = 10 }", "{ a = 80, b = 20 }", false},
		{`["a", "b"]`, `["b", "a"]`, false},
		{`strategy  = "split"`, `strategy  = "priority"`, false},
		{`window = "10m"`, `window = "20m"`, false},
		{"max_attempts = 2", "max_attempts = 1", false},
		{`fixed = 900`, `fixed = 901`, false},
		{"in_flight = 5", "in_flight = 6", false},
		{"failures = 3", "failures = 4", false},
		{`to = "02:00"`, `to = "03:00"`, false},
		{"https://a.example", "https://b.example", false},
	} {
		content := strings.Replace(strings.Replace(text, "local.least", "70000", 1), c.from, c.to, 1)
		if c.to == `strategy  = "priority"` {
			content = strings.Replace(content, "split     = { a = 90, b = 10 }", "", 1)
		}
		if got := Same(before, mustLoad(t, content)); got != c.same {
			t.Errorf("%s for %s: same %t", c.to, c.from, got)
		}
	}
	if Same(mustLoad(t, text), mustLoad(t, text)) {
		t.Error("a local in a condition without a normal form passes for the same")
	}
}
