package wire

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

// filler fills a value of any struct of the contract, field by field.
type filler struct {
	next int // the last number given out: every field gets another value
	// random leaves fields empty and varies lengths; nil fills every field.
	random *rand.Rand
}

func (f *filler) number() int {
	f.next++
	if f.random != nil {
		return f.random.IntN(1 << 30)
	}
	return f.next
}

func (f *filler) length() int {
	if f.random != nil {
		return f.random.IntN(4)
	}
	return 2
}

func (f *filler) fill(v reflect.Value) {
	if f.random != nil && f.random.IntN(4) == 0 {
		return
	}
	switch v.Interface().(type) {
	case payment.Money:
		v.Set(reflect.ValueOf(payment.MoneyOfMinor(int64(f.number()))))
		return
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(int64(f.number()), int64(f.number()%1e9)).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d áé", f.number()))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(f.number()))
	case reflect.Uint8:
		v.SetUint(uint64(f.number() % 256))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	case reflect.Slice:
		if n := f.length(); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				f.fill(v.Index(i))
			}
		}
	case reflect.Map:
		if n := f.length(); n > 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range n {
				key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				key.SetString(fmt.Sprintf("Key-%d", f.number()))
				f.fill(value)
				v.SetMapIndex(key, value)
			}
		}
	case reflect.Interface: // an error's cause stays on its side
	default:
		panic("filler: a field of kind " + v.Kind().String())
	}
}

// trip sends a message through its bytes, as the stream does.
func trip[M proto.Message](m M) M {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	back := m.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(b, back); err != nil {
		panic(err)
	}
	return back.(M)
}

// roundTrips holds, for every struct that crosses the wire, a new value and its way there and back.
var roundTrips = map[string]struct {
	value any // a pointer to it
	trip  func(v any) (any, error)
}{
	"Info": {new(provider.Info), func(v any) (any, error) {
		return decodeInfo(trip(encodeInfo(*v.(*provider.Info))))
	}},
	"Attempt": {new(provider.Attempt), func(v any) (any, error) {
		return decodeAttempt(trip(encodeAttempt(*v.(*provider.Attempt))))
	}},
	"Query": {new(provider.Query), func(v any) (any, error) {
		return decodeQuery(trip(encodeQuery(*v.(*provider.Query))))
	}},
	"Outcome": {new(provider.Outcome), func(v any) (any, error) {
		o := v.(*provider.Outcome)
		o.Status = provider.Absent
		return decodeOutcome(trip(encodeOutcome(*o)), lookupStatuses)
	}},
	"Notification": {new(provider.Notification), func(v any) (any, error) {
		return decodeNotification(trip(encodeNotification(*v.(*provider.Notification)))), nil
	}},
	"Bank": {new(provider.Bank), func(v any) (any, error) {
		return decodeBanks(trip(&pb.BankList{Banks: []*pb.Bank{encodeBank(*v.(*provider.Bank))}}))[0], nil
	}},
	"BillerPage": {new(provider.BillerPage), func(v any) (any, error) {
		return decodeBillerPage(trip(encodeBillerPage(*v.(*provider.BillerPage)))), nil
	}},
	"BillDetail": {new(provider.BillDetail), func(v any) (any, error) {
		return decodeBillDetail(trip(encodeBillDetail(*v.(*provider.BillDetail))))
	}},
	"Balance": {new(provider.Balance), func(v any) (any, error) {
		return decodeBalance(trip(encodeBalance(*v.(*provider.Balance))))
	}},
	"StatementPage": {new(provider.StatementPage), func(v any) (any, error) {
		p := v.(*provider.StatementPage)
		for i := range p.Lines {
			p.Lines[i].Status = provider.Succeeded
		}
		return decodeStatementPage(trip(encodeStatementPage(*p)))
	}},
	"Error": {new(provider.Error), func(v any) (any, error) {
		e := v.(*provider.Error)
		e.Code = provider.CodeDeclined
		return *decodeError(trip(encodeError(e))).(*provider.Error), nil
	}},
	"ConfigError": {new(provider.ConfigError), func(v any) (any, error) {
		e := v.(*provider.ConfigError)
		if len(e.Faults) == 0 {
			e.Faults = []provider.ConfigFault{{Name: "token", Message: "is required"}}
		}
		return *decodeError(trip(encodeError(fmt.Errorf("configure: %w", e)))).(*provider.ConfigError), nil
	}},
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, c := range roundTrips {
		t.Run(name+" keeps every field", func(t *testing.T) {
			value := reflect.New(reflect.TypeOf(c.value).Elem())
			(&filler{}).fill(value.Elem())
			checkTrip(t, value, c.trip)
		})
	}
}

// FuzzRoundTrip fills every struct at random: empty fields, empty lists and long ones too.
func FuzzRoundTrip(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		for _, c := range roundTrips {
			value := reflect.New(reflect.TypeOf(c.value).Elem())
			(&filler{random: rand.New(rand.NewPCG(seed, 0))}).fill(value.Elem())
			checkTrip(t, value, c.trip)
		}
	})
}

func checkTrip(t *testing.T, value reflect.Value, trip func(any) (any, error)) {
	t.Helper()
	got, err := trip(value.Interface())
	if err != nil {
		t.Fatal(err)
	}
	if want := value.Elem().Interface(); !reflect.DeepEqual(got, want) {
		t.Errorf("there:\n%+v\nback:\n%+v", want, got)
	}
}

// FuzzAnswer gives the host bytes as a plugin may send them: whatever they are, it must not panic, and what it
// accepts must be of the contract.
func FuzzAnswer(f *testing.F) {
	for _, a := range []*pb.Answer{
		{Id: 1, Result: &pb.Answer_Submit{Submit: &pb.Outcome{Status: "succeeded", Amount: "10.00"}}},
		{Id: 1, Result: &pb.Answer_Submit{Submit: &pb.Outcome{Status: "paid", Amount: "1e9"}}},
		{Id: 1, Result: &pb.Answer_Error{Error: &pb.Error{Code: "odd"}}},
		{Id: 1, Result: &pb.Answer_Statement{Statement: &pb.StatementPage{Lines: []*pb.StatementLine{{Status: "x"}}}}},
	} {
		b, err := proto.Marshal(a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a := &pb.Answer{}
		if proto.Unmarshal(b, a) != nil {
			return
		}
		if o, err := decodeOutcome(a.GetSubmit(), submitStatuses); err == nil && (o.Status == provider.Absent || o.Status == "") {
			t.Errorf("accepted the status %q", o.Status)
		}
		if e := a.GetError(); e != nil {
			_ = decodeError(e)
		}
		_, _ = decodeInfo(a.GetInfo())
		_, _ = decodeQueries(a.GetParseNotification())
		_ = decodeBanks(a.GetBanks())
		_ = decodeBillerPage(a.GetBillers())
		_, _ = decodeBillDetail(a.GetBill())
		_, _ = decodeBalance(a.GetBalance())
		_, _ = decodeStatementPage(a.GetStatement())
	})
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcome *pb.Outcome
		want    string
	}{
		"an unknown status":         {&pb.Outcome{Status: "paid"}, `"paid" is none of`},
		"no status":                 {&pb.Outcome{}, `"" is none of`},
		"absent as a submit":        {&pb.Outcome{Status: "absent"}, `"absent" is none of`},
		"an amount with three dec.": {&pb.Outcome{Status: "pending", Amount: "10.000"}, "amount"},
		"an exponent":               {&pb.Outcome{Status: "pending", Amount: "1e9"}, "amount"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodeOutcome(c.outcome, submitStatuses)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v, want %q", err, c.want)
			}
		})
	}
}

// TestEveryStatusIsKnown reads the statuses from the contract's source, so that none that is added there is
// taken for garbage here.
func TestEveryStatusIsKnown(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../../../provider.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Status" {
			found++
			status, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := decodeOutcome(&pb.Outcome{Status: status}, lookupStatuses); err != nil {
				t.Errorf("%s: %v", spec.Names[0].Name, err)
			}
		}
		return true
	})
	if found != len(lookupStatuses) {
		t.Errorf("provider.go has %d statuses, the wire %d", found, len(lookupStatuses))
	}
}

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want provider.Code
	}{
		"of the list":  {provider.Errorf(provider.CodeExhausted, "no balance"), provider.CodeExhausted},
		"of no list":   {&provider.Error{Code: "sorry"}, provider.CodeUnknown},
		"of no error":  {fmt.Errorf("boom"), provider.CodeUnknown},
		"when wrapped": {fmt.Errorf("submit: %w", provider.Errorf(provider.CodeDeclined, "no")), provider.CodeDeclined},
	} {
		t.Run(name, func(t *testing.T) {
			if got := provider.CodeOf(decodeError(trip(encodeError(c.err)))); got != c.want {
				t.Errorf("code %q, want %q", got, c.want)
			}
		})
	}
}
