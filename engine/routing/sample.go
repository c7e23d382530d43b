package routing

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// MaxSamples bounds how many payments Samples makes up.
const MaxSamples = 100_000

// Sample is a payment that was made up from conditions, and when it is decided.
type Sample struct {
	Request payment.Request
	Now     time.Time
}

// Samples makes up payments on which these rules may differ: for each alternative of each condition one that passes
// it, and the same with each field at each value that any of the conditions names and on both sides of each bound, at
// each side of each test of the time; then those that pass two alternatives at once. There are at most MaxSamples.
// Conditions that the index cannot search (arithmetic, functions of texts) and maintenance windows add no values of
// their own. now is when payments are decided, save where a condition asks for the time.
func Samples(now time.Time, rules ...*Rules) []Sample {
	s := sampler{now: now, seen: map[string]bool{}, values: map[string][]string{}}
	for key, values := range codes {
		s.values[key] = slices.Clone(values)
	}
	boxes := []box{{}}
	for _, r := range rules {
		for _, route := range r.routes {
			boxes = append(boxes, route.boxes...)
		}
	}
	for _, b := range boxes {
		for _, t := range b {
			s.learn(t)
		}
	}
	for _, b := range boxes { // all of them first, lest the bound leave routes out
		s.add(s.pass(b))
	}
	for _, b := range boxes {
		s.vary(s.pass(b))
	}
	for i, a := range boxes {
		for _, b := range boxes[i+1:] {
			if len(s.list) >= MaxSamples {
				return s.list
			}
			if both, ok := allOf([]box{a}, []box{b}); ok && len(both) > 0 {
				s.add(s.pass(both[0]))
			}
		}
	}
	return s.list
}

// sampler collects samples. A draft is a payment by the paths of its fields; hourKey is the hour of the week.
type sampler struct {
	now    time.Time
	values map[string][]string // worth a try, by path
	seen   map[string]bool
	list   []Sample
}

const hourKey = "now"

// vary adds a draft with each field at each value, at each time.
func (s *sampler) vary(base map[string]string) {
	for _, hour := range append(slices.Clone(s.values[hourKey]), base[hourKey]) {
		for _, key := range slices.Sorted(maps.Keys(s.values)) {
			for _, v := range s.values[key] {
				if len(s.list) >= MaxSamples {
					return
				}
				draft := maps.Clone(base)
				draft[hourKey] = hour
				draft[key] = v
				s.add(draft)
			}
		}
	}
}

// learn notes the values at which a test turns.
func (s *sampler) learn(t *test) {
	key, values := t.of.key, t.texts
	switch {
	case t.of.text == nil:
		key, values = hourKey, s.hours(t)
	case t.of.kind == amountKind:
		for _, r := range t.ranges {
			for _, n := range []int{r.from - 1, r.from, r.to, r.to + 1} {
				values = append(values, amountText(n))
			}
		}
	default:
		values = append(slices.Clone(values), "")
	}
	for _, v := range values {
		if !slices.Contains(s.values[key], v) {
			s.values[key] = append(s.values[key], v)
		}
	}
}

// hours are the first hours of the week from now at which a test of the time holds, and does not.
func (s *sampler) hours(t *test) []string {
	var list []string
	for _, want := range []bool{true, false} {
		for hour := range 7 * 24 {
			d := time.Duration(hour) * time.Hour
			if t.holds(nil, s.now.Add(d).In(bogota)) == want {
				list = append(list, d.String())
				break
			}
		}
	}
	return list
}

func amountText(hundredths int) string { return fmt.Sprintf("%d.%02d", hundredths/100, hundredths%100) }

// pass returns a draft that passes a box, as far as its tests can be passed one by one.
func (s *sampler) pass(b box) map[string]string {
	draft := map[string]string{}
	for _, t := range b {
		switch {
		case t.of.text == nil:
			draft[hourKey] = s.hours(t)[0]
		case t.of.kind == amountKind:
			n := t.ranges[0].from
			if n < 100 {
				n = min(t.ranges[0].to, 50_000_00)
			}
			draft[t.of.key] = amountText(n)
		default:
			values := append(slices.Clone(s.values[t.of.key]), "0000", "x")
			if i := slices.IndexFunc(values, t.holdsText); i >= 0 {
				draft[t.of.key] = values[i]
			}
		}
	}
	return draft
}

// add makes the payment of a draft, unless there is none or it was there before.
func (s *sampler) add(draft map[string]string) {
	draft = maps.Clone(draft)
	wait, _ := time.ParseDuration(draft[hourKey])
	delete(draft, hourKey)
	if !complete(draft) || len(s.list) >= MaxSamples {
		return
	}
	maps.DeleteFunc(draft, func(_, v string) bool { return v == "" })
	body, err := json.Marshal(nest(draft))
	key := wait.String() + string(body)
	var req payment.Request
	if err != nil || s.seen[key] || json.Unmarshal(body, &req) != nil || req.Amount.Minor() <= 0 {
		return
	}
	s.seen[key] = true
	s.list = append(s.list, Sample{req.WithDefaults(), s.now.Add(wait)})
}

// complete fills in the operation, the method and the amount; ok is false where they contradict each other.
func complete(draft map[string]string) (ok bool) {
	if draft["amount"] == "" {
		draft["amount"] = amountText(50_000_00)
	}
	for _, o := range payment.Operations() {
		if given := draft["operation"]; given != "" && given != string(o) {
			continue
		}
		methods := texts(o.Methods())
		if draft["method"] == "" {
			draft["method"] = methods[0]
		}
		if slices.Contains(methods, draft["method"]) {
			draft["operation"] = string(o)
			return true
		}
	}
	return false
}
