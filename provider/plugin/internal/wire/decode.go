package wire

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

// decoder gathers every fault of one message. Its methods return the zero value for what they cannot read.
type decoder struct {
	errs []error
}

func (d *decoder) err() error { return errors.Join(d.errs...) }

func (d *decoder) fault(format string, args ...any) {
	d.errs = append(d.errs, fmt.Errorf(format, args...))
}

func (d *decoder) money(field, text string) payment.Money {
	if text == "" {
		return payment.Money{}
	}
	m, err := payment.ParseMoney(text)
	if err != nil {
		d.fault("%s: %w", field, err)
	}
	return m
}

func (d *decoder) time(field string, t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	if err := t.CheckValid(); err != nil {
		d.fault("%s: %w", field, err)
		return time.Time{}
	}
	return t.AsTime()
}

func (d *decoder) duration(field string, t *durationpb.Duration) payment.Duration {
	if t == nil {
		return 0
	}
	if err := t.CheckValid(); err != nil {
		d.fault("%s: %w", field, err)
	}
	return payment.Duration(t.AsDuration())
}

// status refuses words that are not in allowed: they are never guessed at.
func (d *decoder) status(text string, allowed []provider.Status) provider.Status {
	s := provider.Status(text)
	if !slices.Contains(allowed, s) {
		d.fault("status: %.40q is none of %v", text, allowed)
	}
	return s
}

var (
	submitStatuses = []provider.Status{
		provider.Pending, provider.Authorized, provider.Succeeded, provider.Rejected, provider.Expired, provider.Failed,
	}
	lookupStatuses = append([]provider.Status{provider.Absent}, submitStatuses...)
	// A line of a statement whose word the plugin does not know has none: the rest of the page is still of use.
	statementStatuses = append([]provider.Status{""}, lookupStatuses...)
)

func decodeTexts[T ~string](list []string) []T { return each(list, func(s string) T { return T(s) }) }

func decodeInfo(m *pb.Info) (provider.Info, error) {
	d := &decoder{}
	i := provider.Info{
		Name:         m.GetName(),
		Version:      m.GetVersion(),
		Capabilities: each(m.GetCapabilities(), d.capability),
		Abilities:    decodeTexts[provider.Ability](m.GetAbilities()),
		Config:       each(m.GetConfig(), decodeConfigField),
		KeyRetention: d.duration("key_retention", m.GetKeyRetention()),
		Assumptions:  m.GetAssumptions(),
	}
	return i, d.err()
}

func (d *decoder) capability(m *pb.Capability) payment.Capability {
	r := m.GetRecovery()
	return payment.Capability{
		Operation:     payment.Operation(m.GetOperation()),
		Method:        payment.Method(m.GetMethod()),
		Currencies:    m.GetCurrencies(),
		DocumentTypes: decodeTexts[payment.DocumentType](m.GetDocumentTypes()),
		AmountMin:     d.money("amount_min", m.GetAmountMin()),
		AmountMax:     d.money("amount_max", m.GetAmountMax()),
		Decimals:      int(m.GetDecimals()),
		Required:      m.GetRequired(),
		Limits:        each(m.GetLimits(), decodeFieldLimit),
		Recovery: payment.Recovery{
			LookupByKey:         r.GetLookupByKey(),
			ResendSameKey:       r.GetResendSameKey(),
			AbandonIfUnanswered: r.GetAbandonIfUnanswered(),
			AbsentAfter:         d.duration("absent_after", r.GetAbsentAfter()),
			ExpiresAfter:        d.duration("expires_after", r.GetExpiresAfter()),
		},
	}
}

func decodeFieldLimit(m *pb.FieldLimit) payment.FieldLimit {
	return payment.FieldLimit{
		Field: m.GetField(), MinLength: int(m.GetMinLength()), MaxLength: int(m.GetMaxLength()), Pattern: m.GetPattern(),
	}
}

func decodeConfigField(m *pb.ConfigField) provider.ConfigField {
	return provider.ConfigField{
		Name: m.GetName(), Type: provider.FieldType(m.GetType()), Required: m.GetRequired(), Secret: m.GetSecret(),
		Default: m.GetDefault(), OneOf: m.GetOneOf(), Doc: m.GetDoc(),
	}
}

func decodeAttempt(m *pb.Attempt) (provider.Attempt, error) {
	d := &decoder{}
	a := provider.Attempt{
		Key:             m.GetKey(),
		PaymentID:       m.GetPaymentId(),
		Number:          int(m.GetNumber()),
		Payment:         d.payment(m.GetPayment()),
		NotificationURL: m.GetNotificationUrl(),
		Resend:          m.GetResend(),
	}
	return a, d.err()
}

func (d *decoder) payment(m *pb.Payment) payment.Request {
	return payment.Request{
		Operation:   payment.Operation(m.GetOperation()),
		Method:      payment.Method(m.GetMethod()),
		Amount:      d.money("amount", m.GetAmount()),
		Currency:    m.GetCurrency(),
		Country:     m.GetCountry(),
		Tax:         d.money("tax", m.GetTax()),
		Reference:   m.GetReference(),
		Description: m.GetDescription(),
		Payer:       decodeParty(m.GetPayer()),
		Payee:       decodeParty(m.GetPayee()),
		Bill:        payment.BillTarget{Biller: m.GetBill().GetBiller(), Reference: m.GetBill().GetReference()},
		ReturnURL:   m.GetReturnUrl(),
		FailureURL:  m.GetFailureUrl(),
		CancelURL:   m.GetCancelUrl(),
		Metadata:    m.GetMetadata(),
	}
}

func decodeParty(m *pb.Party) payment.Party {
	return payment.Party{
		Kind:      payment.PersonKind(m.GetKind()),
		Name:      m.GetName(),
		FirstName: m.GetFirstName(),
		LastName:  m.GetLastName(),
		Document: payment.Document{
			Type: payment.DocumentType(m.GetDocumentType()), Number: m.GetDocumentNumber(),
		},
		Email:   m.GetEmail(),
		Phone:   m.GetPhone(),
		Address: m.GetAddress(),
		IP:      m.GetIp(),
		ID:      m.GetId(),
		Bank:    m.GetBank(),
		Account: payment.Account{Type: payment.AccountType(m.GetAccountType()), Number: m.GetAccountNumber()},
	}
}

func decodeQuery(m *pb.Query) (provider.Query, error) {
	d := &decoder{}
	q := d.query(m)
	return q, d.err()
}

func (d *decoder) query(m *pb.Query) provider.Query {
	return provider.Query{
		Key: m.GetKey(), Reference: m.GetReference(),
		Operation: payment.Operation(m.GetOperation()), Method: payment.Method(m.GetMethod()),
		SubmittedAt: d.time("submitted_at", m.GetSubmittedAt()),
	}
}

func decodeQueries(m *pb.Queries) ([]provider.Query, error) {
	d := &decoder{}
	list := each(m.GetQueries(), d.query)
	return list, d.err()
}

func decodeOutcome(m *pb.Outcome, allowed []provider.Status) (provider.Outcome, error) {
	d := &decoder{}
	o := provider.Outcome{
		Status:    d.status(m.GetStatus(), allowed),
		Key:       m.GetKey(),
		Reference: m.GetReference(),
		Amount:    d.money("amount", m.GetAmount()),
		Currency:  m.GetCurrency(),
		Code:      m.GetCode(),
		Message:   m.GetMessage(),
		ExpiresAt: d.time("expires_at", m.GetExpiresAt()),
	}
	if a := m.GetAction(); a != nil {
		o.Action = &payment.Action{Type: a.GetType(), URL: a.GetUrl()}
	}
	return o, d.err()
}

func decodeNotification(m *pb.Notification) provider.Notification {
	n := provider.Notification{Method: m.GetMethod(), Path: m.GetPath(), Body: m.GetBody()}
	for _, h := range m.GetHeader() {
		if n.Header == nil {
			n.Header = make(map[string][]string, len(m.GetHeader()))
		}
		n.Header[h.GetName()] = append(n.Header[h.GetName()], h.GetValues()...)
	}
	return n
}

func decodeBanks(m *pb.BankList) []provider.Bank {
	return each(m.GetBanks(), func(b *pb.Bank) provider.Bank {
		return provider.Bank{Code: b.GetCode(), Name: b.GetName()}
	})
}

func decodeBillerPage(m *pb.BillerPage) provider.BillerPage {
	return provider.BillerPage{
		Billers: each(m.GetBillers(), func(b *pb.Biller) provider.Biller {
			return provider.Biller{
				ID: b.GetId(), Name: b.GetName(), AmountEditable: b.GetAmountEditable(), Queryable: b.GetQueryable(),
			}
		}),
		Next: m.GetNext(),
	}
}

func decodeBillDetail(m *pb.BillDetail) (provider.BillDetail, error) {
	d := &decoder{}
	b := provider.BillDetail{
		Biller: m.GetBiller(), Reference: m.GetReference(), Amount: d.money("amount", m.GetAmount()),
		AmountEditable: m.GetAmountEditable(),
	}
	return b, d.err()
}

func decodeBalance(m *pb.Balance) (provider.Balance, error) {
	d := &decoder{}
	b := provider.Balance{
		Available: d.money("available", m.GetAvailable()), Overdraft: d.money("overdraft", m.GetOverdraft()),
		Currency: m.GetCurrency(),
	}
	return b, d.err()
}

func decodeStatementPage(m *pb.StatementPage) (provider.StatementPage, error) {
	d := &decoder{}
	p := provider.StatementPage{
		Lines: each(m.GetLines(), func(l *pb.StatementLine) provider.StatementLine {
			return provider.StatementLine{
				Key: l.GetKey(), Reference: l.GetReference(), Amount: d.money("amount", l.GetAmount()),
				Currency: l.GetCurrency(), Status: d.status(l.GetStatus(), statementStatuses), Code: l.GetCode(),
				CreatedAt: d.time("created_at", l.GetCreatedAt()),
			}
		}),
		Next: m.GetNext(),
	}
	return p, d.err()
}
