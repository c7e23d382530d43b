package wire

import (
	"bufio"
	"context"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

// TestConversationV1 replays a conversation of the first release, byte by byte: today's host with yesterday's plugin,
// and today's plugin with yesterday's host. testdata/conversation_v1.txt is never written anew: a change that fails
// here breaks plugins that are installed, and is version 2 (docs/contract.md, section 10).
func TestConversationV1(t *testing.T) {
	t.Parallel()
	recorded := readConversation(t)
	t.Run("an old plugin", func(t *testing.T) {
		t.Parallel()
		old := &oldPlugin{T: t, conversation: recorded}
		info, err := Describe(t.Context(), old)
		if err != nil {
			t.Fatal(err)
		}
		p := NewProvider(old, info)
		if err := p.Configure(t.Context(), spoken.config); err != nil {
			t.Fatal(err)
		}
		got := speech{config: spoken.config, info: p.Info(), attempt: spoken.attempt, query: spoken.query, notification: spoken.notification}
		if err := p.Check(t.Context()); err != nil {
			t.Error(err)
		}
		got.submitted, err = p.Submit(t.Context(), spoken.attempt)
		check(t, "submit", err)
		_, err = p.Lookup(t.Context(), spoken.query)
		got.refused = provider.AsError(err)
		got.queries, err = p.ParseNotification(t.Context(), spoken.notification)
		check(t, "parse_notification", err)
		got.banks, err = p.Banks(t.Context(), payment.PSE)
		check(t, "banks", err)
		got.billers, err = p.Billers(t.Context(), "2")
		check(t, "billers", err)
		got.bill, err = p.Bill(t.Context(), "etb", "123")
		check(t, "bill", err)
		got.balance, err = p.Balance(t.Context())
		check(t, "balance", err)
		got.statement, err = p.Statement(t.Context(), "3")
		check(t, "statement", err)
		check(t, "close", p.Close(t.Context()))
		if !reflect.DeepEqual(got, spoken) {
			t.Errorf("the old plugin said\n%+v\nand is understood as\n%+v", spoken, got)
		}
	})
	t.Run("an old host", func(t *testing.T) {
		t.Parallel()
		server := NewServer(&speaker{T: t}, nil)
		for _, exchange := range recorded {
			call, want := &pb.Call{}, &pb.Answer{}
			unmarshal(t, exchange.call, call)
			unmarshal(t, exchange.answer, want)
			if got := server.Handle(t.Context(), call); !says(got.ProtoReflect(), want.ProtoReflect()) {
				t.Errorf("%s: the plugin answers\n%v\nwhere it answered\n%v", exchange.name, got, want)
			}
		}
	})
}

func check(t *testing.T, call string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", call, err)
	}
}

func unmarshal(t *testing.T, b []byte, m proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
}

// says reports whether a message has every field of an older one, with the same value. Further ones are allowed.
func says(now, old protoreflect.Message) bool {
	whole := true
	old.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsList() && f.Message() != nil:
			a, b := now.Get(f).List(), v.List()
			whole = a.Len() == b.Len()
			for i := 0; whole && i < a.Len(); i++ {
				whole = says(a.Get(i).Message(), b.Get(i).Message())
			}
		case f.Message() != nil && !f.IsMap():
			whole = now.Has(f) && says(now.Get(f).Message(), v.Message())
		default:
			whole = now.Get(f).Equal(v)
		}
		return whole
	})
	return whole
}

type exchanged struct {
	name         string
	call, answer []byte
}

// readConversation reads lines of a call's name, its bytes, and those of its answer, in hexadecimal.
func readConversation(t *testing.T) []exchanged {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "conversation_v1.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []exchanged
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) != 3 {
			t.Fatalf("line %q", lines.Text())
		}
		call, err1 := hex.DecodeString(words[1])
		answer, err2 := hex.DecodeString(words[2])
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		all = append(all, exchanged{words[0], call, answer})
	}
	return all
}

// oldPlugin answers what the recorded plugin answered.
type oldPlugin struct {
	*testing.T
	conversation []exchanged
}

func (o *oldPlugin) Call(_ context.Context, call *pb.Call) (*pb.Answer, error) {
	next := o.conversation[0]
	o.conversation = o.conversation[1:]
	old, answer := &pb.Call{}, &pb.Answer{}
	unmarshal(o.T, next.call, old)
	unmarshal(o.T, next.answer, answer)
	if !says(call.ProtoReflect(), old.ProtoReflect()) {
		o.Errorf("%s: the host asks\n%v\nwhere it asked\n%v", next.name, call, old)
	}
	return answer, nil
}

// speech is everything that host and plugin told each other.
type speech struct {
	config       provider.Config
	info         provider.Info
	attempt      provider.Attempt
	submitted    provider.Outcome
	query        provider.Query
	refused      *provider.Error
	notification provider.Notification
	queries      []provider.Query
	banks        []provider.Bank
	billers      provider.BillerPage
	bill         provider.BillDetail
	balance      provider.Balance
	statement    provider.StatementPage
}

var spokenAt = time.Date(2026, 11, 21, 15, 4, 5, 6000, time.UTC)

var spoken = speech{
	config: provider.Config{"token": "abc"},
	info: provider.Info{
		Name: "old", Version: "1.0.0",
		Capabilities: []payment.Capability{{
			Operation: payment.PayIn, Method: payment.PSE, Currencies: []string{"COP"}, DocumentTypes: []payment.DocumentType{payment.CC, payment.PP},
			AmountMin: payment.Pesos(1000), AmountMax: payment.Pesos(40_000_000), Decimals: 2, Required: []string{"payer.email"},
			Limits: []payment.FieldLimit{{Field: "payer.name", MinLength: 2, MaxLength: 50, Pattern: ".+"}},
			Recovery: payment.Recovery{
				LookupByKey: true, ResendSameKey: true, AbandonIfUnanswered: true,
				AbsentAfter: payment.Duration(time.Minute), ExpiresAfter: payment.Duration(45 * time.Minute),
			},
		}},
		Abilities: []provider.Ability{provider.Notifications, provider.Banks, provider.Bills, provider.BalanceOf, provider.Statements},
		Config: provider.Schema{{
			Name: "token", Type: provider.String, Required: true, Secret: true, OneOf: []string{"abc", "def"}, Doc: "the token",
		}},
		KeyRetention: payment.Duration(24 * time.Hour), Assumptions: []string{"pesos"},
	},
	attempt: provider.Attempt{
		Key: "0123456789abcdefghij", PaymentID: "pay_1", Number: 2, NotificationURL: "https://pay.example/hook", Resend: true,
		Payment: payment.Request{
			Operation: payment.PayIn, Method: payment.PSE, Amount: payment.MoneyOfMinor(1000050), Currency: "COP", Country: "CO",
			Tax: payment.MoneyOfMinor(1), Reference: "ORDER-1", Description: "Compra ñ",
			Payer: payment.Party{
				Kind: payment.Natural, Name: "Ana Gil", FirstName: "Ana", LastName: "Gil", Document: payment.Document{Type: payment.CC, Number: "1"},
				Email: "a@b.co", Phone: "3001112233", Address: "Calle 1", IP: "192.0.2.1", ID: "c-7", Bank: "1007",
			},
			Payee:     payment.Party{Account: payment.Account{Type: payment.Savings, Number: "9"}},
			Bill:      payment.BillTarget{Biller: "etb", Reference: "123"},
			ReturnURL: "https://r.example", FailureURL: "https://f.example", CancelURL: "https://c.example", Metadata: map[string]string{"a": "b"},
		},
	},
	submitted: provider.Outcome{
		Status: provider.Pending, Key: "0123456789abcdefghij", Reference: "ref-1", Amount: payment.MoneyOfMinor(1000050), Currency: "COP",
		Action: payment.Redirect("https://bank.example"), Code: "PENDING", Message: "waits", ExpiresAt: spokenAt,
	},
	query: provider.Query{Key: "0123456789abcdefghij", Reference: "ref-1", Operation: payment.PayIn, Method: payment.PSE, SubmittedAt: spokenAt},
	refused: &provider.Error{
		Code: provider.CodeUnknown, Message: "no answer", Field: "payer.bank", ProviderCode: "502", Reference: "ref-1",
	},
	notification: provider.Notification{Method: "POST", Path: "/hook", Header: map[string][]string{"X-Sign": {"a", "b"}}, Body: []byte{0, 255}},
	queries:      []provider.Query{{Key: "k", Reference: "r"}},
	banks:        []provider.Bank{{Code: "1007", Name: "BANCOLOMBIA"}, {Code: "1013", Name: "BBVA"}},
	billers:      provider.BillerPage{Billers: []provider.Biller{{ID: "etb", Name: "ETB", AmountEditable: true, Queryable: true}}, Next: "3"},
	bill:         provider.BillDetail{Biller: "etb", Reference: "123", Amount: payment.Pesos(12300), AmountEditable: true},
	balance:      provider.Balance{Available: payment.Pesos(5), Overdraft: payment.Pesos(7), Currency: "COP"},
	statement: provider.StatementPage{Next: "4", Lines: []provider.StatementLine{{
		Key: "k", Reference: "r", Amount: payment.Pesos(9), Currency: "COP", Status: provider.Succeeded, Code: "approved", CreatedAt: spokenAt,
	}}},
}

// speaker is a provider that must be asked what the recorded host asked, and answers as the recorded plugin did.
type speaker struct{ *testing.T }

func asked[T any](s *speaker, call string, got, want T) {
	if !reflect.DeepEqual(got, want) {
		s.Errorf("%s: the plugin is asked\n%+v\nwhere it was asked\n%+v", call, got, want)
	}
}

func (s *speaker) Info() provider.Info { return spoken.info }

func (s *speaker) Configure(_ context.Context, c provider.Config) error {
	asked(s, "configure", c, spoken.config)
	return nil
}

func (s *speaker) Check(context.Context) error { return nil }

func (s *speaker) Submit(_ context.Context, a provider.Attempt) (provider.Outcome, error) {
	asked(s, "submit", a, spoken.attempt)
	return spoken.submitted, nil
}

func (s *speaker) Lookup(_ context.Context, q provider.Query) (provider.Outcome, error) {
	asked(s, "lookup", q, spoken.query)
	return provider.Outcome{}, spoken.refused
}

func (s *speaker) ParseNotification(_ context.Context, n provider.Notification) ([]provider.Query, error) {
	asked(s, "parse_notification", n, spoken.notification)
	return spoken.queries, nil
}

func (s *speaker) Banks(_ context.Context, m payment.Method) ([]provider.Bank, error) {
	asked(s, "banks", m, payment.PSE)
	return spoken.banks, nil
}

func (s *speaker) Billers(_ context.Context, page string) (provider.BillerPage, error) {
	asked(s, "billers", page, "2")
	return spoken.billers, nil
}

func (s *speaker) Bill(_ context.Context, biller, reference string) (provider.BillDetail, error) {
	asked(s, "bill", biller+" "+reference, "etb 123")
	return spoken.bill, nil
}

func (s *speaker) Balance(context.Context) (provider.Balance, error) { return spoken.balance, nil }

func (s *speaker) Statement(_ context.Context, page string) (provider.StatementPage, error) {
	asked(s, "statement", page, "3")
	return spoken.statement, nil
}

func (s *speaker) Close(context.Context) error { return nil }
