package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/cauce-pay/cauce/provider"
)

// historyPage is how many transfers a whole page of the history has. A shorter one is the last.
const historyPage = 20

// Statement lists the account's recent transfers. In which order the API sorts them is not said, and its own
// example has two of the same instant, so none is relied on (CC-17). A line with a status that the document does
// not have keeps the word and has no status.
func (p *coopcentral) Statement(ctx context.Context, page string) (provider.StatementPage, error) {
	number := 1
	if page != "" {
		var err error
		if number, err = strconv.Atoi(page); err != nil || number < 2 {
			return provider.StatementPage{}, invalid("", fmt.Sprintf("has no page %.40q; hand on the Next of the page before", page))
		}
	}
	resp, err := p.api.getTransactions(ctx, p.config.originAccount, number)
	if err != nil {
		return provider.StatementPage{}, err
	}
	pastTheEnd := resp.Status == http.StatusNotFound || resp.Status == http.StatusUnprocessableEntity
	if number > 1 && pastTheEnd { // the page before was whole and the last
		return provider.StatementPage{}, nil
	}
	if resp.Status != http.StatusOK {
		return provider.StatementPage{}, readError(resp, "its history")
	}
	var body struct {
		Transactions []transfer `json:"transactions"`
	}
	if err := resp.Decode(&body); err != nil {
		return provider.StatementPage{}, provider.Errorf(provider.CodeUnavailable, "Coopcentral: its history cannot be read: %w", err)
	}
	var out provider.StatementPage
	for i, t := range body.Transactions {
		sum, err := p.config.money(t.Amount)
		if err != nil || t.Token == "" {
			return provider.StatementPage{}, provider.Errorf(provider.CodeUnavailable,
				"Coopcentral: line %d of page %d of its history lacks idempotency_token or amount", i+1, number)
		}
		created, _ := time.Parse(time.RFC3339, t.CreatedAt) // in no table of the document; zero where it is missing
		out.Lines = append(out.Lines, provider.StatementLine{
			Key: t.Token, Amount: sum, Status: statuses[t.Status], Code: t.Status, CreatedAt: created,
		})
	}
	if len(out.Lines) >= historyPage {
		out.Next = strconv.Itoa(number + 1)
	}
	return out, nil
}
