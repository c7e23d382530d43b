package routing

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/shopspring/decimal"

	"github.com/cauce-pay/cauce/payment"
)

// Fee is what one payment costs us at a provider.
type Fee struct {
	Fixed   decimal.Decimal // pesos a payment, 0 to 1,000,000
	Percent decimal.Decimal // of its amount, 0 to 100
}

// Of returns the fee of an amount, exactly.
func (f Fee) Of(amount payment.Money) decimal.Decimal {
	return f.Fixed.Add(amount.Decimal().Mul(f.Percent).Shift(-2))
}

// Breaker says when a provider's calls are given a rest: after Failures that say that it cannot work, Within that
// time, it moves behind the others until CoolOff is over.
type Breaker struct {
	Failures int           // 1 to 1000, default 5; 0 = never
	Within   time.Duration // 1 second to 1 hour, default 1 minute
	CoolOff  time.Duration // 1 second to 1 hour, default 30 seconds
}

var defaultBreaker = Breaker{Failures: 5, Within: time.Minute, CoolOff: 30 * time.Second}

// Limit bounds what a provider is sent. A provider at its limit moves behind the others.
type Limit struct {
	InFlight  int // attempts that are under way, 1 to 100,000; 0 = no limit
	PerSecond int // new attempts, 1 to 100,000; 0 = no limit
}

// Window is a time of the week in America/Bogota. One that crosses midnight belongs to the day on which it begins.
type Window struct {
	From, To time.Duration // since midnight; To is at most 24 hours
	Days     []time.Weekday
}

// Contains reports whether a time lies in the window: from From on, and before To.
func (w Window) Contains(t time.Time) bool {
	t = t.In(bogota)
	sinceMidnight := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute +
		time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
	today, yesterday := slices.Contains(w.Days, t.Weekday()), slices.Contains(w.Days, (t.Weekday()+6)%7)
	if w.From < w.To {
		return today && sinceMidnight >= w.From && sinceMidnight < w.To
	}
	return today && sinceMidnight >= w.From || yesterday && sinceMidnight < w.To
}

func (w Window) String() string { return "from " + clockTime(w.From) + " to " + clockTime(w.To) }

func clockTime(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

const (
	minRest  = time.Second
	maxRest  = time.Hour
	maxLimit = 100_000
)

func (l *loader) readTerms(p *Provider, content *hcl.BodyContent) {
	if a := content.Attributes["fee"]; a != nil {
		p.Fee = &Fee{}
		l.object(a.Name, a.Expr, "{ fixed = 900, percent = 1.2 }, each part optional", parts{
			"fixed":   func(name string, e hcl.Expression) { p.Fee.Fixed = l.decimal(name, e, 1_000_000) },
			"percent": func(name string, e hcl.Expression) { p.Fee.Percent = l.decimal(name, e, 100) },
		})
	}
	if a := content.Attributes["breaker"]; a != nil {
		b := &p.Breaker
		l.object(a.Name, a.Expr, `{ failures = 5, within = "1m", cool_off = "30s" }, each part optional`, parts{
			"failures": func(name string, e hcl.Expression) { b.Failures, _ = l.whole(name, e, 0, 1000) },
			"within":   func(name string, e hcl.Expression) { b.Within = l.openDuration(name, e, minRest, maxRest) },
			"cool_off": func(name string, e hcl.Expression) { b.CoolOff = l.openDuration(name, e, minRest, maxRest) },
		})
	}
	if a := content.Attributes["limit"]; a != nil {
		l.object(a.Name, a.Expr, "{ in_flight = 64, per_second = 50 }, each part optional", parts{
			"in_flight":  func(name string, e hcl.Expression) { p.Limit.InFlight, _ = l.whole(name, e, 1, maxLimit) },
			"per_second": func(name string, e hcl.Expression) { p.Limit.PerSecond, _ = l.whole(name, e, 1, maxLimit) },
		})
	}
	if a := content.Attributes["maintenance"]; a != nil {
		list, ok := a.Expr.(*hclsyntax.TupleConsExpr)
		if !ok {
			p.Maintenance = []Window{l.window(a.Name, a.Expr)}
			return
		}
		for _, e := range list.Exprs {
			p.Maintenance = append(p.Maintenance, l.window(a.Name, e))
		}
	}
}

// weekdays in the order of time.Weekday.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// window reads one maintenance window.
func (l *loader) window(name string, e hcl.Expression) Window {
	w := Window{}
	var from, to bool // are there and fine
	for day := range weekdays {
		w.Days = append(w.Days, time.Weekday(day))
	}
	l.object(name, e, `{ from = "22:00", to = "05:00", days = ["sat", "sun"] }`, parts{
		"from": func(name string, e hcl.Expression) { w.From, from = l.clockTime(name, e, 24*time.Hour-time.Minute) },
		"to":   func(name string, e hcl.Expression) { w.To, to = l.clockTime(name, e, 24*time.Hour) },
		"days": func(name string, e hcl.Expression) {
			days, ok := l.choices(name, e, weekdays)
			if ok && len(days) == 0 {
				l.fault(e.Range(), "days is empty", "Leave it away for every day.")
			}
			w.Days = nil
			for _, day := range days {
				w.Days = append(w.Days, time.Weekday(slices.Index(weekdays, day)))
			}
		},
	}, "from", "to")
	if from && to && w.From == w.To {
		l.fault(e.Range(), name+" begins when it ends", `A whole day is { from = "00:00", to = "24:00" }.`)
	}
	return w
}

// clockTime reads a time of day like "22:00".
func (l *loader) clockTime(name string, e hcl.Expression, most time.Duration) (time.Duration, bool) {
	text, ok := l.openText(name, e)
	if !ok {
		return 0, false
	}
	hours, minutes, _ := strings.Cut(text.Text, ":")
	h, noHours := strconv.ParseUint(hours, 10, 8)
	m, noMinutes := strconv.ParseUint(minutes, 10, 8)
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if noHours == nil && noMinutes == nil && m < 60 && d <= most && clockTime(d) == text.Text {
		return d, true
	}
	l.fault(e.Range(), fmt.Sprintf("%s: %s is no time of day", name, text.quoted()),
		fmt.Sprintf(`Write hours and minutes, "00:00" to %q.`, clockTime(most)))
	return 0, false
}

// decimal reads a number from 0 to most, exactly; at most 6 decimals.
func (l *loader) decimal(name string, e hcl.Expression, most int64) decimal.Decimal {
	v, ok := l.value(e)
	if !ok {
		return decimal.Decimal{}
	}
	if number, ok := plainNumber(v); ok {
		d, err := decimal.NewFromString(number)
		if err == nil && !d.IsNegative() && d.LessThanOrEqual(decimal.NewFromInt(most)) && d.Exponent() >= -6 {
			return d
		}
	}
	l.fault(e.Range(), fmt.Sprintf("%s must be a number from 0 to %d", name, most),
		"It may have up to 6 decimals.")
	return decimal.Decimal{}
}
