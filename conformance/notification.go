package conformance

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/provider"
)

func notificationRules() []rule {
	list := []rule{
		{id: "notifications/names-attempt", obligation: "A webhook about an attempt is read as a query that finds it.", rests: []string{"lookup/approved", "lookup/by-key"}, run: notified(func(s *scene, p provider.ProviderWithNotifications, c caught) {
			s.found(p, s.read(p, c), provider.Succeeded)
		})},
		{id: "notifications/after-restart", obligation: "A provider that was started again reads webhooks about what it submitted before.", rests: []string{"notifications/names-attempt", "lookup/after-restart"}, run: notified(func(s *scene, p provider.ProviderWithNotifications, c caught) {
			s.must(p.Close(s.ctx))
			again, _ := provider.WithNotifications(s.start())
			s.found(again, s.read(again, c), provider.Succeeded)
		})},
		{id: "notifications/repeated", obligation: "A webhook that comes again is read the same.", rests: []string{"notifications/names-attempt"}, run: notified(func(s *scene, p provider.ProviderWithNotifications, c caught) {
			if first, second := s.read(p, c), s.read(p, c); first != second {
				s.errorf("%+v becomes %+v", first, second)
			}
		})},
		{id: "notifications/concurrent", obligation: "Webhooks that come at once are each read the same.", rests: []string{"notifications/repeated"}, run: notified(func(s *scene, p provider.ProviderWithNotifications, c caught) {
			want, err := p.ParseNotification(s.ctx, c.notification)
			s.must(err)
			got := make([][]provider.Query, 16)
			all(len(got), func(i int) { got[i], _ = p.ParseNotification(s.ctx, c.notification) })
			for _, q := range got {
				if !slices.Equal(q, want) {
					s.errorf("one was read as %+v, not as %+v", q, want)
				}
			}
		})},
		{id: "notifications/forged", obligation: "A webhook that claims a success that did not happen changes nothing.", rests: []string{"notifications/names-attempt"}, run: forged},
		{id: "notifications/executes-nothing", obligation: "Reading a webhook executes nothing.", rests: []string{"notifications/names-attempt"}, run: notified(func(s *scene, p provider.ProviderWithNotifications, c caught) {
			before := s.box.ledger(s)
			s.read(p, c)
			if after := s.box.ledger(s); !slices.Equal(before, after) {
				s.errorf("the ledger changed from %+v to %+v", before, after)
			}
		})},
		{id: "notifications/cut", obligation: "Half a webhook is refused as invalid.", run: notified(func(s *scene, p provider.ProviderWithNotifications, c caught) {
			n := c.notification
			n.Body = n.Body[:len(n.Body)/2]
			s.unreadable(p, n)
		})},
	}
	for _, garbage := range []struct{ id, what, body string }{
		{"empty", "An empty webhook", ""},
		{"text", "A webhook that is no JSON", "success=true&id=1"},
		{"object", "A webhook that is an empty object", "{}"},
		{"list", "A webhook that is an empty list", "[]"},
		{"null", "A webhook that is null", "null"},
		{"binary", "A webhook of arbitrary bytes", "\x00\xff\xfe\x80{\x01"},
		{"deep", "A webhook nested 10,001 deep", strings.Repeat(`{"data":`, 10_001) + "1" + strings.Repeat("}", 10_001)},
		{"large", "A webhook of 256 KiB without meaning", `{"x":"` + strings.Repeat("x", 256<<10) + `"}`},
	} {
		list = append(list, rule{
			id: "notifications/garbage-" + garbage.id, obligation: garbage.what + " is refused as invalid.", offline: true,
			run: func(s *scene) {
				p, _ := provider.WithNotifications(s.start())
				s.unreadable(p, provider.Notification{
					Method: http.MethodPost, Path: "/", Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(garbage.body),
				})
			},
		})
	}
	for i := range list {
		list[i].when = declares(provider.Notifications)
	}
	return list
}

// caught is a webhook that came, and the attempt it is about.
type caught struct {
	attempt      provider.Attempt
	outcome      provider.Outcome
	notification provider.Notification
}

// webhookPatience is how long a webhook is waited for.
const webhookPatience = 10 * time.Second

// hook is the address of a listener that hands on webhooks.
func (s *scene) hook() (address string, arrived chan provider.Notification, stop func()) {
	arrived = make(chan provider.Notification, 100)
	address = s.serve(false, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		select {
		case arrived <- provider.Notification{Method: r.Method, Path: r.URL.Path, Header: r.Header, Body: body}:
		default: // more than any check waits for
		}
	}) + "/hook"
	s.must(s.box.call(s.ctx, http.MethodPost, "webhook", map[string]string{"url": address}, nil))
	return address, arrived, func() {
		_ = s.box.call(context.WithoutCancel(s.ctx), http.MethodPost, "webhook", map[string]string{"url": ""}, nil)
	}
}

func (s *scene) arrives(arrived chan provider.Notification) provider.Notification {
	ctx, cancel := s.within(webhookPatience)
	defer cancel()
	select {
	case n := <-arrived:
		return n
	case <-ctx.Done():
		s.fatalf("the sandbox sent no webhook within %s", webhookPatience)
		return provider.Notification{}
	}
}

// notified lets f judge the webhook of an approved attempt of each operation.
func notified(f func(*scene, provider.ProviderWithNotifications, caught)) func(*scene) {
	return func(s *scene) {
		address, arrived, stop := s.hook()
		defer stop()
		for _, c := range s.main() {
			p, _ := provider.WithNotifications(s.start())
			a := s.attempt(p, c)
			a.NotificationURL = address
			o := s.submit(p, a)
			s.box.settle(s, a.Key, "approved")
			f(s, p, caught{a, o, s.arrives(arrived)})
		}
	}
}

// read reads a webhook, which must name its attempt, and returns that query.
func (s *scene) read(p provider.ProviderWithNotifications, c caught) provider.Query {
	queries, err := p.ParseNotification(s.ctx, c.notification)
	if err != nil {
		s.fatalf("the webhook is not read: %v", err)
	}
	return s.about(c, queries)
}

// about returns the query that names the webhook's attempt, as the engine completes it.
func (s *scene) about(c caught, queries []provider.Query) provider.Query {
	for _, q := range queries {
		if q.Key == c.attempt.Key || q.Key == "" && q.Reference != "" && (q.Reference == c.outcome.Reference || c.outcome.Reference == "") {
			whole := query(c.attempt, q.Reference)
			whole.SubmittedAt = time.Time{}
			return whole
		}
	}
	s.fatalf("none of the queries %+v names the attempt", queries)
	return provider.Query{}
}

// unreadable demands that a webhook is refused as invalid.
func (s *scene) unreadable(p provider.ProviderWithNotifications, n provider.Notification) {
	queries, err := p.ParseNotification(s.ctx, n)
	if err == nil {
		s.errorf("it is read as %+v", queries)
	} else if code := provider.CodeOf(err); code != provider.CodeInvalid {
		s.errorf("it is refused as %q, not as %q: %v", code, provider.CodeInvalid, err)
	}
}

func forged(s *scene) {
	address, arrived, stop := s.hook()
	defer stop()
	for _, c := range s.main() {
		p, _ := provider.WithNotifications(s.start())
		a := s.attempt(p, c)
		a.NotificationURL = address
		s.box.lay(s, fault{On: "create", Do: "webhook_forged"})
		o := s.submit(p, a)
		n := s.arrives(arrived)
		queries, err := p.ParseNotification(s.ctx, n)
		if provider.CodeOf(err) == provider.CodeInvalid {
			continue // it bears no signature of the provider's
		}
		s.must(err)
		q := s.about(caught{a, o, n}, queries)
		if charges := s.box.charges(s, a.Key); len(charges) != 1 || charges[0].Status != "approved" {
			got, err := p.Lookup(s.ctx, q)
			if err == nil && got.Status == provider.Succeeded {
				s.errorf("the look-up says %q, the books %+v", got.Status, charges)
			}
		}
	}
}
