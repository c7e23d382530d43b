package sandbox

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	var byNumber, bySize requests
	for range maxRequests + 5 {
		byNumber.add(Request{Path: "/old", Body: "x"})
	}
	byNumber.add(Request{Path: "/newest", Body: "x"})
	if n := len(byNumber.list); n != 10_000 || byNumber.list[n-1].Path != "/newest" || byNumber.bytes != n {
		t.Errorf("%d requests and %d bytes are kept", n, byNumber.bytes)
	}
	megabyte := strings.Repeat("x", maxBody)
	for range 100 {
		bySize.add(Request{Body: megabyte})
	}
	if n := len(bySize.list); n != 64 || bySize.bytes != 64<<20 {
		t.Errorf("%d requests of 1 MiB and %d bytes are kept", n, bySize.bytes)
	}
}

func TestWebhooksAreBounded(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(context.Background())
	end()
	c := newCourier(slog.New(slog.DiscardHandler))
	var sends []func()
	for range maxUnderWay + 1 {
		sends = append(sends, c.take(ended, []Message{{URL: "http://shop.example"}}))
	}
	dropped := c.delivered()
	if len(dropped) != 1 || !strings.HasPrefix(dropped[0].Error, "dropped: 10000 are under way already") {
		t.Fatalf("beyond the bound: %+v", dropped)
	}
	if err := c.wait(ended); err == nil {
		t.Error("it is idle while webhooks wait")
	}
	for _, send := range sends {
		send()
	}
	c.close()
	if got := c.delivered(); len(got) != maxDeliveries || !strings.Contains(got[0].Error, "context canceled") {
		t.Errorf("%d deliveries are kept, the first one %+v", len(got), got[0])
	}
}

func TestExpiredTokensAreSwept(t *testing.T) {
	t.Parallel()
	s, err := New(Options[int]{Name: "toy"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.update(func(b *Books[int]) {
		b.IssueToken(time.Hour)
		for range 3 * sweepAt {
			b.IssueToken(0)
		}
		b.IssueToken(time.Hour)
	})
	good := 0
	for _, tok := range s.tokens {
		if tok.ExpiresAt.After(time.Now()) {
			good++
		}
	}
	if n := len(s.tokens); err != nil || n > sweepAt || good != 2 {
		t.Errorf("%d tokens are kept, %d of them good; want at most %d with 2 good ones: %v", n, good, sweepAt, err)
	}
}
