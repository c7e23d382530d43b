package wire

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

// freeText makes text of unknown origin (a provider's messages and names, a webhook's headers) valid UTF-8,
// which protobuf demands of every string. Identifiers are not touched: one that is not UTF-8 fails its call.
func freeText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func encodeMoney(m payment.Money) string {
	if m.IsZero() {
		return ""
	}
	return m.String()
}

func encodeTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func encodeDuration(d payment.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(time.Duration(d))
}

func encodeTexts[T ~string](list []T) []string {
	return each(list, func(t T) string { return string(t) })
}

// each converts a list; nil stays nil.
func each[From, To any](list []From, convert func(From) To) []To {
	if list == nil {
		return nil
	}
	out := make([]To, len(list))
	for i, v := range list {
		out[i] = convert(v)
	}
	return out
}

func encodeInfo(i provider.Info) *pb.Info {
	return &pb.Info{
		Name:         i.Name,
		Version:      i.Version,
		Capabilities: each(i.Capabilities, encodeCapability),
		Abilities:    encodeTexts(i.Abilities),
		Config:       each(i.Config, encodeConfigField),
		KeyRetention: encodeDuration(i.KeyRetention),
		Assumptions:  i.Assumptions,
	}
}

func encodeCapability(c payment.Capability) *pb.Capability {
	return &pb.Capability{
		Operation:     string(c.Operation),
		Method:        string(c.Method),
		Currencies:    c.Currencies,
		DocumentTypes: encodeTexts(c.DocumentTypes),
		AmountMin:     encodeMoney(c.AmountMin),
		AmountMax:     encodeMoney(c.AmountMax),
		Decimals:      int32(c.Decimals),
		Required:      c.Required,
		Limits:        each(c.Limits, encodeFieldLimit),
		Recovery: &pb.Recovery{
			LookupByKey:         c.Recovery.LookupByKey,
			ResendSameKey:       c.Recovery.ResendSameKey,
			AbandonIfUnanswered: c.Recovery.AbandonIfUnanswered,
			AbsentAfter:         encodeDuration(c.Recovery.AbsentAfter),
			ExpiresAfter:        encodeDuration(c.Recovery.ExpiresAfter),
		},
	}
}

func encodeFieldLimit(l payment.FieldLimit) *pb.FieldLimit {
	return &pb.FieldLimit{
		Field: l.Field, MinLength: int32(l.MinLength), MaxLength: int32(l.MaxLength), Pattern: l.Pattern,
	}
}

func encodeConfigField(f provider.ConfigField) *pb.ConfigField {
	return &pb.ConfigField{
		Name: f.Name, Type: string(f.Type), Required: f.Required, Secret: f.Secret,
		Default: f.Default, OneOf: f.OneOf, Doc: f.Doc,
	}
}

func encodeAttempt(a provider.Attempt) *pb.Attempt {
	return &pb.Attempt{
		Key:             a.Key,
		PaymentId:       a.PaymentID,
		Number:          int32(a.Number),
		Payment:         encodePayment(a.Payment),
		NotificationUrl: a.NotificationURL,
		Resend:          a.Resend,
	}
}

func encodePayment(r payment.Request) *pb.Payment {
	return &pb.Payment{
		Operation:   string(r.Operation),
		Method:      string(r.Method),
		Amount:      encodeMoney(r.Amount),
		Currency:    r.Currency,
		Country:     r.Country,
		Tax:         encodeMoney(r.Tax),
		Reference:   r.Reference,
		Description: r.Description,
		Payer:       encodeParty(r.Payer),
		Payee:       encodeParty(r.Payee),
		Bill:        &pb.Bill{Biller: r.Bill.Biller, Reference: r.Bill.Reference},
		ReturnUrl:   r.ReturnURL,
		FailureUrl:  r.FailureURL,
		CancelUrl:   r.CancelURL,
		Metadata:    r.Metadata,
	}
}

func encodeParty(p payment.Party) *pb.Party {
	return &pb.Party{
		Kind:           string(p.Kind),
		Name:           p.Name,
		FirstName:      p.FirstName,
		LastName:       p.LastName,
		DocumentType:   string(p.Document.Type),
		DocumentNumber: p.Document.Number,
		Email:          p.Email,
		Phone:          p.Phone,
		Address:        p.Address,
		Ip:             p.IP,
		Id:             p.ID,
		Bank:           p.Bank,
		AccountType:    string(p.Account.Type),
		AccountNumber:  p.Account.Number,
	}
}

func encodeQuery(q provider.Query) *pb.Query {
	return &pb.Query{
		Key: q.Key, Reference: q.Reference, Operation: string(q.Operation), Method: string(q.Method),
		SubmittedAt: encodeTime(q.SubmittedAt),
	}
}

func encodeOutcome(o provider.Outcome) *pb.Outcome {
	m := &pb.Outcome{
		Status:    string(o.Status),
		Key:       o.Key,
		Reference: o.Reference,
		Amount:    encodeMoney(o.Amount),
		Currency:  o.Currency,
		Code:      freeText(o.Code),
		Message:   freeText(o.Message),
		ExpiresAt: encodeTime(o.ExpiresAt),
	}
	if o.Action != nil {
		m.Action = &pb.Action{Type: o.Action.Type, Url: o.Action.URL}
	}
	return m
}

func encodeNotification(n provider.Notification) *pb.Notification {
	m := &pb.Notification{Method: freeText(n.Method), Path: freeText(n.Path), Body: n.Body}
	for name, values := range n.Header {
		m.Header = append(m.Header, &pb.Header{Name: freeText(name), Values: each(values, freeText)})
	}
	return m
}

func encodeBank(b provider.Bank) *pb.Bank { return &pb.Bank{Code: b.Code, Name: freeText(b.Name)} }

func encodeBiller(b provider.Biller) *pb.Biller {
	return &pb.Biller{
		Id: b.ID, Name: freeText(b.Name), AmountEditable: b.AmountEditable, Queryable: b.Queryable,
	}
}

func encodeBillerPage(p provider.BillerPage) *pb.BillerPage {
	return &pb.BillerPage{Billers: each(p.Billers, encodeBiller), Next: p.Next}
}

func encodeBillDetail(b provider.BillDetail) *pb.BillDetail {
	return &pb.BillDetail{
		Biller: b.Biller, Reference: b.Reference, Amount: encodeMoney(b.Amount), AmountEditable: b.AmountEditable,
	}
}

func encodeBalance(b provider.Balance) *pb.Balance {
	return &pb.Balance{
		Available: encodeMoney(b.Available), Overdraft: encodeMoney(b.Overdraft), Currency: b.Currency,
	}
}

func encodeStatementPage(p provider.StatementPage) *pb.StatementPage {
	return &pb.StatementPage{Lines: each(p.Lines, encodeStatementLine), Next: p.Next}
}

func encodeStatementLine(l provider.StatementLine) *pb.StatementLine {
	return &pb.StatementLine{
		Key: l.Key, Reference: l.Reference, Amount: encodeMoney(l.Amount), Currency: l.Currency,
		Status: string(l.Status), Code: freeText(l.Code), CreatedAt: encodeTime(l.CreatedAt),
	}
}
