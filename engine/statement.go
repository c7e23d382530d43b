package engine

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// maxStatementLines bounds one statement.
const maxStatementLines = 100_000

// statementColumns are the columns of a statement file; a file may leave out one of the first two.
var statementColumns = []string{"key", "reference", "amount", "currency", "status", "created_at"}

// statementStatuses are the words of the column status.
var statementStatuses = []provider.Status{
	provider.Pending, provider.Authorized, provider.Succeeded, provider.Rejected, provider.Expired, provider.Failed,
}

// ReadStatement reads a provider's statement from CSV for Reconcile. Its first line names the columns, in any order:
// key (the attempt's), reference (the provider's own id), amount (like 10000.50), currency (COP), status (pending,
// authorized, succeeded, rejected, expired or failed) and created_at (like 2026-11-21T15:04:05-05:00). key or
// reference may be left out, and empty where the other is filled; other columns are not looked at. It has at most
// 100,000 lines, and may have none. The error is ErrStatement with the line and the column at fault.
func ReadStatement(file io.Reader) ([]provider.StatementLine, error) {
	r := csv.NewReader(file)
	header, err := r.Read()
	if err != nil {
		return nil, unreadable(err)
	}
	column := map[string]int{}
	for i, name := range header {
		name = strings.TrimPrefix(name, "\ufeff") // spreadsheets begin a file with it
		if _, twice := column[name]; twice && slices.Contains(statementColumns, name) {
			return nil, fmt.Errorf("%w: line 1: the column %s is given twice", ErrStatement, name)
		}
		column[name] = i
	}
	for _, name := range statementColumns[2:] {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf("%w: line 1: the column %s is missing; the columns are %s", ErrStatement, name, strings.Join(statementColumns, ", "))
		}
	}
	lines := []provider.StatementLine{}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, unreadable(err)
		}
		if len(lines) == maxStatementLines {
			return nil, fmt.Errorf("%w: it has more than %d lines; cut it into shorter times", ErrStatement, maxStatementLines)
		}
		line, at, err := readLine(record, column)
		if err != nil {
			row, col := r.FieldPos(max(column[at], 0))
			return nil, fmt.Errorf("%w: line %d, column %d (%s): %w", ErrStatement, row, col, at, err)
		}
		lines = append(lines, line)
	}
}

func unreadable(err error) error {
	var syntax *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it is empty: its first line names the columns, %s", ErrStatement, strings.Join(statementColumns, ", "))
	case errors.As(err, &syntax):
		return fmt.Errorf("%w: line %d, column %d: %w", ErrStatement, syntax.Line, syntax.Column, syntax.Err)
	}
	return fmt.Errorf("engine: reading the statement: %w", err)
}

// readLine reads one line; at is the column at fault.
func readLine(record []string, column map[string]int) (line provider.StatementLine, at string, err error) {
	field := func(name string) string {
		at = name
		if i, ok := column[name]; ok {
			return record[i]
		}
		return ""
	}
	line.Key, line.Reference = field("key"), field("reference")
	if line.Key == "" && line.Reference == "" {
		return line, at, errors.New("it has neither key nor reference")
	}
	if line.Amount, err = payment.ParseMoney(field("amount")); err != nil {
		return line, at, err
	}
	if line.Amount.IsZero() {
		return line, at, errors.New("it is zero")
	}
	if line.Currency = field("currency"); line.Currency == "" {
		return line, at, errors.New("it is empty; write a code like COP")
	}
	if line.Status = provider.Status(field("status")); !slices.Contains(statementStatuses, line.Status) {
		return line, at, fmt.Errorf("%.40q is none of %v", line.Status, statementStatuses)
	}
	if line.CreatedAt, err = time.Parse(time.RFC3339, field("created_at")); err != nil {
		return line, at, fmt.Errorf("%.40q is no time like 2026-11-21T15:04:05-05:00", record[column[at]])
	}
	return line, at, nil
}

// maxStatementPages bounds the pages of a statement that are read in a row.
const maxStatementPages = 1000

// fetchStatement reads all pages of a provider's statement. A line that moved to a later page while it was read is
// one line, as it was last; two alike on one page are two.
func (e *Engine) fetchStatement(ctx context.Context, r *running, p provider.ProviderWithStatement) ([]provider.StatementLine, error) {
	type identity struct {
		key, reference, currency string
		amount                   payment.Money
		createdAt                int64
	}
	var lines []provider.StatementLine
	seen := map[identity]int{} // on the pages before
	page := ""
	for range maxStatementPages {
		callCtx, cancel := e.withTimeout(ctx, r.timeout)
		answer, err := guarded(callCtx, e.crew, func() (provider.StatementPage, error) { return p.Statement(callCtx, page) })
		cancel()
		if err != nil {
			return nil, fmt.Errorf("engine: the statement of provider %q could not be read: %w", r.name, provider.AsError(err))
		}
		added := map[identity]int{}
		for _, line := range answer.Lines {
			id := identity{line.Key, line.Reference, line.Currency, line.Amount, line.CreatedAt.UnixNano()}
			if i, moved := seen[id]; moved {
				lines[i], added[id] = line, i
				delete(seen, id)
				continue
			}
			added[id] = len(lines)
			lines = append(lines, line)
		}
		for id, i := range added {
			seen[id] = i
		}
		if answer.Next == page && page != "" {
			return nil, fmt.Errorf("%w: provider %q tells page %.64q as the page after itself; hand in a file", ErrStatement, r.name, page)
		}
		if page = answer.Next; page == "" {
			return lines, nil
		}
		if len(lines) > maxStatementLines {
			break
		}
	}
	return nil, fmt.Errorf("%w: provider %q tells more than %d pages or %d lines; hand in a file of a shorter time",
		ErrStatement, r.name, maxStatementPages, maxStatementLines)
}
