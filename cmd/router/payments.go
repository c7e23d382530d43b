package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// paymentAnswer is a payment as GET /v1/payments/{id} answers it.
type paymentAnswer struct {
	payment.Payment
	Events   []payment.Event
	Decision *payment.Decision
}

func newPaymentsGetCmd() command {
	return command{
		name: "payments get", args: "ID", summary: "show a payment, its attempts and its events",
		details: clientDetails,
		example: "  router payments get pay_06fkmr2m0hmcdcbjh4cbtg5k9s",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			asJSON := flags.Bool("json", false, "print it as JSON, with its decision")
			return func(ctx context.Context, s streams, args []string) error {
				path, err := paymentPath("payments get", args)
				if err != nil {
					return err
				}
				answer, err := c.call(ctx, http.MethodGet, path+wholePayment, nil)
				if err != nil {
					return err
				}
				return show(s, answer, *asJSON, printPayment)
			}
		},
	}
}

func newPaymentsRefreshCmd() command {
	return command{
		name: "payments refresh", args: "ID", summary: "look a payment up at its provider now",
		details: clientDetails,
		example: "  router payments refresh pay_06fkmr2m0hmcdcbjh4cbtg5k9s",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			asJSON := flags.Bool("json", false, "print the payment as JSON")
			return func(ctx context.Context, s streams, args []string) error {
				path, err := paymentPath("payments refresh", args)
				if err != nil {
					return err
				}
				answer, err := c.call(ctx, http.MethodPost, path+"/refresh", nil)
				if err != nil {
					return err
				}
				return show(s, answer, *asJSON, printPayment)
			}
		},
	}
}

func newPaymentsResolveCmd() command {
	return command{
		name: "payments resolve", args: "ID", summary: "close a payment in doubt by hand",
		details: "Ask the provider's people first: what is said here is taken for the truth, and -note is kept with it.\n" +
			"payments get shows what is known. The key needs the scope admin.\n" + clientDetails,
		example: "  router payments resolve pay_06fkmr2m0hmcdcbjh4cbtg5k9s -status rejected -note 'Tpaga, ticket 1234: never received'",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			status := flags.String("status", "", "its `status` at the provider: succeeded, rejected or failed (required)")
			note := flags.String("note", "", "`why`, for whoever reads it later (required)")
			asJSON := flags.Bool("json", false, "print the payment as JSON")
			return func(ctx context.Context, s streams, args []string) error {
				path, err := paymentPath("payments resolve", args)
				if err != nil {
					return err
				}
				if *status == "" || *note == "" {
					return usagef("router payments resolve -h", "payments resolve: -status and -note are required")
				}
				answer, err := c.call(ctx, http.MethodPost, path+"/resolve", map[string]string{"status": *status, "note": *note})
				if err != nil {
					return err
				}
				return show(s, answer, *asJSON, printPayment)
			}
		},
	}
}

// paymentPath is the API's path of the payment that the only argument names.
func paymentPath(command string, args []string) (string, error) {
	if len(args) == 0 {
		return "", usagef("router "+command+" -h", "%s: the payment's id is missing", command)
	}
	return "/v1/payments/" + url.PathEscape(args[0]), nil
}

// wholePayment is the query of a payment with everything that is known about it.
const wholePayment = "?events=true&decision=true"

func printPayment(w io.Writer, p paymentAnswer) {
	fmt.Fprintf(w, "%s  %s\n\n", p.ID, p.Status)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	row("what", fmt.Sprintf("%s by %s, %s %s", p.Operation, p.Method, p.Amount, p.Currency))
	row("reference", p.Reference)
	row("route", p.Route)
	row("provider", strings.TrimSpace(p.Provider+" "+p.ProviderReference))
	if p.Action != nil {
		row("payer goes to", p.Action.URL)
	}
	if p.Failure != nil {
		row("failure", p.Failure.Code+": "+p.Failure.Message)
	}
	row("created", stamp(p.CreatedAt))
	row("updated", stamp(p.UpdatedAt))
	row("expires", stamp(p.ExpiresAt))
	row("next look-up", stamp(p.NextLookupAt))
	_ = t.Flush()
	if len(p.Attempts) > 0 {
		fmt.Fprintln(w, "\nattempts")
		for _, a := range p.Attempts {
			fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", a.Number, stamp(a.StartedAt), a.Provider, a.Key, a.Status, said(a.Code, a.Message))
		}
		_ = t.Flush()
	}
	if len(p.Events) > 0 {
		fmt.Fprintln(w, "\nevents")
		for _, e := range p.Events {
			printEvent(t, e)
		}
		_ = t.Flush()
	}
}

// printEvent prints one line for an event.
func printEvent(w io.Writer, e payment.Event) {
	d := e.Data
	var words []string
	add := func(format string, present bool, values ...any) {
		if present {
			words = append(words, fmt.Sprintf(format, values...))
		}
	}
	if d.Decision != nil {
		add("route %s", d.Decision.Route != "", d.Decision.Route)
		add("candidates %s", len(d.Decision.Providers) > 0, strings.Join(d.Decision.Providers, ", "))
	}
	add("attempt %d", d.Attempt > 0, d.Attempt)
	add("at %s", d.Provider != "", d.Provider)
	add("is %s", d.AttemptStatus != "", d.AttemptStatus)
	add("%s", d.Status != "", d.Status)
	add("%s", d.Code+d.Message != "", said(d.Code, d.Message))
	add("%s: ours %s, theirs %s", d.Field != "", d.Field, d.Ours, d.Theirs)
	if d.Failure != nil {
		add("%s", true, said(d.Failure.Code, d.Failure.Message))
	}
	add("note: %s", d.Note != "", d.Note)
	fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", e.Seq, stamp(e.At), e.Type, strings.Join(words, ", "))
}

// said joins a code and its message.
func said(code, message string) string {
	if code == "" || message == "" {
		return code + message
	}
	return code + ": " + message
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// listOptions are the filters of GET /v1/payments, and how many payments are wanted.
type listOptions struct {
	filters map[string]*string // by parameter
	limit   int
	asJSON  bool
}

func newPaymentsListCmd() command {
	return command{
		name: "payments list", summary: "list payments, newest first",
		details: "With -status in_doubt it lists all of them, and says how many there are and how old the oldest is: those are\n" +
			"the payments that may need a person. Times are like 2026-11-21T15:04:05Z.\n" + clientDetails,
		example: "  router payments list -status in_doubt",
		setup: func(flags *flag.FlagSet) action {
			c := clientFlag(flags)
			o := listOptions{filters: map[string]*string{
				"status":         flags.String("status", "", "only those of this `status`: processing, pending, succeeded, rejected, expired, failed or in_doubt"),
				"provider":       flags.String("provider", "", "only those whose last attempt is at this `provider`"),
				"reference":      flags.String("reference", "", "only those of this `reference` of the caller"),
				"operation":      flags.String("operation", "", "only this `operation`: payin, payout or bill"),
				"created_after":  flags.String("created-after", "", "only those made at this `time` or later"),
				"created_before": flags.String("created-before", "", "only those made before this `time`"),
			}}
			flags.IntVar(&o.limit, "limit", 50, "at most this `number` of payments; 0 = all")
			flags.BoolVar(&o.asJSON, "json", false, "print them as JSON")
			return func(ctx context.Context, s streams, _ []string) error {
				if o.limit < 0 {
					return usagef("router payments list -h", "payments list: -limit is negative")
				}
				return listPayments(ctx, s, c, o)
			}
		},
	}
}

// paymentList is what payments list prints.
type paymentList[T any] struct {
	Payments []T  `json:"payments"`
	More     bool `json:"more"` // than -limit
}

// maxListPage is the largest page that the API gives.
const maxListPage = 500

// payments yields the payments that a query of GET /v1/payments chooses, page by page, as the router answers them.
func (c *client) payments(ctx context.Context, query url.Values, pageSize int) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		query.Set("limit", strconv.Itoa(pageSize))
		for {
			var page struct {
				Payments   []json.RawMessage `json:"payments"`
				NextCursor payment.Nullable  `json:"next_cursor"`
			}
			answer, err := c.call(ctx, http.MethodGet, "/v1/payments?"+query.Encode(), nil)
			if err == nil {
				err = json.Unmarshal(answer, &page)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, p := range page.Payments {
				if !yield(p, nil) {
					return
				}
			}
			if page.NextCursor == "" {
				return
			}
			query.Set("cursor", string(page.NextCursor))
		}
	}
}

func listPayments(ctx context.Context, s streams, c *client, o listOptions) error {
	query := url.Values{}
	for name, value := range o.filters {
		if *value != "" {
			query.Set(name, *value)
		}
	}
	doubts := *o.filters["status"] == string(payment.InDoubt)
	if doubts {
		o.limit = 0
	}
	pageSize := maxListPage
	if o.limit > 0 {
		pageSize = min(o.limit+1, maxListPage)
	}
	list := paymentList[json.RawMessage]{Payments: []json.RawMessage{}}
	for p, err := range c.payments(ctx, query, pageSize) {
		if err != nil {
			return err
		}
		if list.More = o.limit > 0 && len(list.Payments) == o.limit; list.More {
			break
		}
		list.Payments = append(list.Payments, p)
	}
	answer, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return show(s, answer, o.asJSON, func(w io.Writer, list paymentList[payment.Payment]) {
		printPayments(w, list)
		if doubts && len(list.Payments) > 0 {
			oldest := list.Payments[len(list.Payments)-1]
			fmt.Fprintf(w, "\n%s in doubt; the oldest was made %s ago\n", count(len(list.Payments), "payment"), time.Since(oldest.CreatedAt).Round(time.Second))
		}
	})
}

func printPayments(w io.Writer, list paymentList[payment.Payment]) {
	if len(list.Payments) == 0 {
		fmt.Fprintln(w, "no payments")
		return
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSTATUS\tCREATED\tWHAT\tAMOUNT\tPROVIDER\tREFERENCE")
	for _, p := range list.Payments {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s %s\t%s %s\t%s\t%s\n", p.ID, p.Status, stamp(p.CreatedAt), p.Operation, p.Method, p.Amount, p.Currency, p.Provider, p.Reference)
	}
	_ = t.Flush()
	if list.More {
		fmt.Fprintln(w, "\nthere are more: -limit 0 lists all")
	}
}
