package main

import (
	"regexp"
	"strings"
	"testing"
)

// Every start prints a key of its own: under an old one the data directory would give back an old payment.
func TestBannerKey(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 2 {
		var banner strings.Builder
		printBanner(&banner, "http://127.0.0.1:8080", devOptions{}, &simulators{})
		m := regexp.MustCompile(`-H 'Idempotency-Key: (order-\w+)' `).FindStringSubmatch(banner.String())
		if m == nil || seen[m[1]] {
			t.Fatalf("it prints %v after %v in\n%s", m, seen, banner.String())
		}
		seen[m[1]] = true
	}
}

// What only one plugin's simulator takes is offered where that simulator runs.
func TestBannerPayments(t *testing.T) {
	t.Parallel()
	for plugin, want := range map[string]string{"coopcentral": "payroll-", "tpaga-bills": "bill-", "acme": ""} {
		var banner strings.Builder
		printBanner(&banner, "http://127.0.0.1:8080", devOptions{}, &simulators{list: []*simulator{{plugin: plugin}}})
		for _, key := range []string{"payroll-", "bill-"} {
			if got := strings.Contains(banner.String(), "Idempotency-Key: "+key); got != (key == want) {
				t.Errorf("beside %s a payment with key %s… is offered: %v", plugin, key, got)
			}
		}
	}
}
