package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
)

// slugs are the API's names of the banks, by PSE code. bbva and banco-caja-social are the document's; the others
// are inferred, so none is used that the live list does not have, and bank_slugs replaces them. A bank's name is never matched on (CC-14).
var slugs = map[string]string{
	"1001": "banco-de-bogota",
	"1002": "banco-popular",
	"1006": "itau",
	"1007": "bancolombia",
	"1009": "citibank",
	"1012": "banco-gnb-sudameris",
	"1013": "bbva",
	"1019": "scotiabank-colpatria",
	"1023": "banco-de-occidente",
	"1031": "bancoldex",
	"1032": "banco-caja-social",
	"1040": "banco-agrario",
	"1042": "bnp-paribas",
	"1047": "banco-mundo-mujer",
	"1051": "davivienda",
	"1052": "av-villas",
	"1053": "banco-w",
	"1059": "bancamia",
	"1060": "banco-pichincha",
	"1061": "bancoomeva",
	"1062": "banco-falabella",
	"1063": "banco-finandina",
	"1065": "banco-santander-colombia",
	"1066": "banco-cooperativo-coopcentral",
	"1067": "mibanco",
	"1069": "banco-serfinanza",
	"1070": "lulo-bank",
	"1071": "banco-jp-morgan",
	"1086": "asopagos",
	"1097": "dale",
	"1117": "credifamilia",
	"1121": "juriscoop",
	"1283": "cfa",
	"1286": "jfk",
	"1289": "cotrafa",
	"1291": "coofinep",
	"1292": "confiar",
	"1303": "banco-union",
	"1370": "coltefinanciera",
	"1507": "nequi",
	"1551": "daviplata",
	"1558": "ban100",
	"1560": "pibank",
	"1637": "iris",
	"1801": "movii",
	"1802": "ding",
	"1803": "powwi",
	"1804": "uala",
	"1805": "banco-btg-pactual",
	"1807": "koa",
	"1808": "bold-cf",
	"1809": "nu",
	"1811": "rappipay",
	"1812": "coink",
	"1813": "santander-consumer",
	"1814": "global66",
	"1815": "alianza-fiduciaria",
	"1816": "crezcamos",
	"1819": "banco-contactar",
	"1824": "paycash",
	"1831": "accion-fiduciaria",
}

// slugOf translates a PSE code and makes sure that the live list has its slug.
func (p *coopcentral) slugOf(ctx context.Context, code string) (string, error) {
	slug, known := p.config.slugs[code]
	if !known {
		return "", invalid("payee.bank", fmt.Sprintf("has no known name for bank %s; GET /v1/banks lists those that it reaches", code))
	}
	names, err := p.banks.get(ctx)
	if err != nil {
		return "", err
	}
	if _, listed := names[slug]; !listed {
		return "", invalid("payee.bank", fmt.Sprintf("does not list %s, as bank %s should be named there", slug, code))
	}
	return slug, nil
}

// Banks lists the banks that transfers reach, as far as their PSE codes are known.
func (p *coopcentral) Banks(ctx context.Context, method payment.Method) ([]provider.Bank, error) {
	if method != payment.BankTransfer {
		return nil, invalid("method", fmt.Sprintf("has banks for bank_transfer only, not for %s", method))
	}
	names, err := p.banks.get(ctx)
	if err != nil {
		return nil, err
	}
	banks := make([]provider.Bank, 0, len(names))
	for _, code := range slices.Sorted(maps.Keys(p.config.slugs)) {
		if name, listed := names[p.config.slugs[code]]; listed {
			banks = append(banks, provider.Bank{Code: code, Name: name})
		}
	}
	return banks, nil
}

// fetchBanks gets the live list: names by slug.
func (p *coopcentral) fetchBanks(ctx context.Context) (map[string]string, error) {
	resp, err := p.api.getBanks(ctx)
	if err != nil {
		return nil, notSent(err)
	}
	if resp.Status != http.StatusOK {
		return nil, readError(resp, "its banks")
	}
	var body struct {
		Banks []bank `json:"banks"`
	}
	if err := resp.Decode(&body); err != nil {
		return nil, provider.Errorf(provider.CodeUnavailable, "Coopcentral: its list of banks cannot be read: %w", err)
	}
	names := make(map[string]string, len(body.Banks))
	for _, b := range body.Banks {
		if b.Slug != "" {
			names[b.Slug] = b.Name
		}
	}
	if len(names) == 0 {
		return nil, provider.Errorf(provider.CodeUnavailable, "Coopcentral: its list of banks is empty")
	}
	return names, nil
}

const (
	banksLife         = 24 * time.Hour
	banksRetry        = time.Minute      // after a list that could not be replaced
	banksFetchTimeout = 10 * time.Second // not tied to any caller: those who wait for it share it
)

// bankList keeps the live list for a day, and the last good one for as long as no newer one can be had. Any
// number of callers share one request.
type bankList struct {
	fetch func(context.Context) (map[string]string, error)
	now   func() time.Time
	life  context.Context // of every fetch; ended by close
	close context.CancelFunc

	mu       sync.Mutex
	names    map[string]string // by slug; never changed in place; nil = there never was one
	until    time.Time         // when names are to be replaced
	underWay chan struct{}     // closed when the fetch under way ends; nil = there is none
	err      error             // of the last fetch
}

func newBankList(fetch func(context.Context) (map[string]string, error), now func() time.Time) *bankList {
	life, end := context.WithCancel(context.Background())
	return &bankList{fetch: fetch, now: now, life: life, close: end}
}

// get returns the names by slug. Its errors say that nothing was handed over.
func (l *bankList) get(ctx context.Context) (map[string]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.names == nil || !l.now().Before(l.until) {
		done := l.underWay
		if done == nil {
			done = make(chan struct{})
			l.underWay = done
			go l.refresh(done)
		}
		l.mu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
		}
		l.mu.Lock()
	}
	switch {
	case l.names != nil:
		return l.names, nil
	case l.err != nil:
		return nil, l.err
	}
	return nil, provider.Errorf(provider.CodeUnavailable, "the time for the call was over before there was a list of banks; nothing was sent")
}

// refresh makes one request for all who wait for done.
func (l *bankList) refresh(done chan struct{}) {
	ctx, cancel := context.WithTimeout(l.life, banksFetchTimeout)
	defer cancel()
	names, err := l.fetch(ctx)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.underWay, l.err = nil, err
	if err == nil {
		l.names, l.until = names, l.now().Add(banksLife)
	} else {
		l.until = l.now().Add(banksRetry)
	}
	close(done)
}
