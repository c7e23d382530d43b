// Command postgres measures the flow that a payment router would be without Cauce's store: pgx, one transaction
// for the intent, one for the outcome, and the same call of the same plugin in between. It reads lines of "callers
// length" from standard input and answers each with a measure.Result; the command bench starts it.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cauce-pay/cauce/bench/measure"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin"
)

func main() {
	bin := flag.String("plugins", "bin/bench", "directory of the plugin `instant`")
	dir := flag.String("dir", ".", "directory for the server's data")
	url := flag.String("url", os.Getenv("CAUCE_BENCH_POSTGRES"), "server to measure; default: $CAUCE_BENCH_POSTGRES, else one of the system's is started")
	connections := flag.Int("connections", 16, "of the pool")
	flag.Parse()
	if err := run(context.Background(), *bin, *dir, *url, *connections); err != nil {
		fmt.Fprintln(os.Stderr, "postgres:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin, dir, url string, connections int) (err error) {
	if url == "" {
		s, err := startServer(dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		url = s.url
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return err
	}
	config.MaxConns = int32(connections)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, schema); err != nil {
		return err
	}
	p, err := plugin.Dir(bin).Launch(ctx, provider.Spec{Name: "instant", Plugin: "instant"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close(ctx)) }()
	if err := p.Configure(ctx, provider.Config{}); err != nil {
		return err
	}
	var version, durable string
	err = pool.QueryRow(ctx, "SELECT current_setting('server_version'), current_setting('fsync') || ', synchronous_commit ' || current_setting('synchronous_commit')").
		Scan(&version, &durable)
	if err != nil {
		return err
	}
	fmt.Printf("PostgreSQL %s, %d connections, fsync %s\n", version, connections, durable)
	r := router{pool, p}
	for {
		var callers int
		var length string
		if _, err := fmt.Scanln(&callers, &length); err != nil {
			return nil // nobody asks any more
		}
		d, err := time.ParseDuration(length)
		if err != nil {
			return err
		}
		result, err := measure.Run(ctx, callers, d, r.pay)
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(result)
		}
		if err != nil {
			return err
		}
	}
}

// schema has what a payment needs to be found again after a crash, and no index beyond that.
const schema = `
CREATE TABLE IF NOT EXISTS payments (
	id text PRIMARY KEY,
	idempotency_key text NOT NULL UNIQUE,
	status text NOT NULL,
	request jsonb NOT NULL,
	created_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL,
	next_lookup_at timestamptz
);
CREATE TABLE IF NOT EXISTS attempts (
	key text PRIMARY KEY,
	payment_id text NOT NULL REFERENCES payments,
	provider text NOT NULL,
	status text NOT NULL,
	reference text,
	started_at timestamptz NOT NULL,
	ended_at timestamptz
);
CREATE INDEX IF NOT EXISTS due ON payments (next_lookup_at) WHERE next_lookup_at IS NOT NULL;
TRUNCATE payments, attempts;
`

type router struct {
	pool     *pgxpool.Pool
	provider provider.Provider
}

// pay makes one payment under a new idempotency key.
func (r router) pay(ctx context.Context) error {
	id, key, request := "pay_"+rand.Text(), rand.Text()[:20], measure.Request()
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	now := time.Now()
	err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO payments (id, idempotency_key, status, request, created_at, updated_at, next_lookup_at)
			VALUES ($1, $2, 'processing', $3, $4, $4, $5)`, id, "bench-"+id, body, now, now.Add(22*time.Second))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO attempts (key, payment_id, provider, status, started_at)
			VALUES ($1, $2, 'instant', 'processing', $3)`, key, id, now)
		return err
	})
	if err != nil {
		return err
	}
	call, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	outcome, err := r.provider.Submit(call, provider.Attempt{Key: key, PaymentID: id, Number: 1, Payment: request})
	if err != nil {
		return err
	}
	now = time.Now()
	return pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE attempts SET status = $2, reference = $3, ended_at = $4 WHERE key = $1`,
			key, outcome.Status, outcome.Reference, now)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE payments SET status = $2, updated_at = $3, next_lookup_at = NULL WHERE id = $1`,
			id, outcome.Status, now)
		return err
	})
}
