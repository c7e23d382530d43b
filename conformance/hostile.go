package conformance

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cauce-pay/cauce/provider"
)

func hostileRules() []rule {
	return []rule{
		{id: "hostile/tls-verified", obligation: "A server whose certificate nobody vouches for gets no request.", run: func(s *scene) {
			var reached atomic.Int64
			url := s.serve(true, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
			s.neverTaken(s.start("base_url", url))
			if n := reached.Load(); n > 0 {
				s.errorf("it got %d", n)
			}
		}},
		{id: "hostile/no-redirect", obligation: "Credentials and payments do not follow a redirect to another host.", run: func(s *scene) {
			var reached atomic.Int64
			other := s.serve(false, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
			url := s.serve(false, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other+r.URL.Path, http.StatusTemporaryRedirect)
			})
			s.neverTaken(s.start("base_url", url))
			if n := reached.Load(); n > 0 {
				s.errorf("the other host got %d requests", n)
			}
		}},
		{id: "hostile/huge-body", obligation: "An answer of 64 MiB is not read to its end.", run: func(s *scene) {
			var written atomic.Int64
			url := s.serve(false, func(w http.ResponseWriter, _ *http.Request) {
				chunk := bytes.Repeat([]byte(" "), 64<<10)
				for n := 0; n < 64<<20; n += len(chunk) {
					if _, err := w.Write(chunk); err != nil {
						return
					}
					written.Add(int64(len(chunk)))
				}
			})
			s.neverTaken(s.start("base_url", url))
			if n := written.Load(); n >= 64<<20 {
				s.errorf("%d MiB were read", n>>20)
			}
		}},
		{id: "hostile/huge-header", obligation: "An answer with a header of 2 MiB is an error.", run: func(s *scene) {
			proxy := s.sandboxProxy()
			proxy.ModifyResponse = func(r *http.Response) error {
				r.Header.Set("X-Conformance", strings.Repeat("x", 2<<20))
				return nil
			}
			s.neverTaken(s.start("base_url", s.through(s.serve(false, proxy.ServeHTTP))))
		}},
		{id: "hostile/trickle", obligation: "An answer that trickles is given up at the deadline, at the provider too.", rests: []string{"deadlines/submit", "deadlines/token", "deadlines/over-before"}, run: func(s *scene) {
			proxy := s.sandboxProxy()
			var trickles atomic.Bool
			w := s.watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !trickles.Load() {
					proxy.ServeHTTP(w, r)
					return
				}
				for tick := time.Tick(20 * time.Millisecond); r.Context().Err() == nil; <-tick {
					_, _ = io.WriteString(w, " ")
					_ = http.NewResponseController(w).Flush()
				}
			}))
			p := s.start("base_url", s.through(w.url))
			attempts := s.attempts(p)
			_ = p.Check(s.ctx) // so that it has its token, which others may wait for longer
			trickles.Store(true)
			ctx, cancel := s.within(shortPatience)
			defer cancel()
			end := time.Now().Add(shortPatience)
			s.neverTakenWithin(ctx, p, attempts)
			w.over(s, end)
		}},
		{id: "hostile/deep-json", obligation: "An answer nested 10,001 deep is an error.", run: func(s *scene) {
			deep := bytes.Repeat([]byte("["), 10_001)
			s.neverTaken(s.start("base_url", s.serve(false, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(deep) })))
		}},
		{id: "hostile/no-http", obligation: "A server that does not speak HTTP is an error.", run: func(s *scene) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			s.must(err)
			defer l.Close()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer conn.Close()
						if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
							_, _ = io.Copy(io.Discard, r.Body)
							_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n\r\n")
						}
					}()
				}
			}()
			s.neverTaken(s.start("base_url", "http://"+l.Addr().String()))
		}},
	}
}

// neverTaken demands that neither a hand-over nor Check succeeds.
func (s *scene) neverTaken(p provider.Provider) {
	ctx, cancel := s.within(longPatience)
	defer cancel()
	s.neverTakenWithin(ctx, p, s.attempts(s.start()))
	if p.Check(ctx) == nil {
		s.errorf("Check succeeds")
	}
}

func (s *scene) neverTakenWithin(ctx context.Context, p provider.Provider, attempts []provider.Attempt) {
	for _, a := range attempts {
		if o, err := p.Submit(ctx, a); err == nil && o.Status == provider.Succeeded {
			s.errorf("%s by %s: it answers %q", a.Payment.Operation, a.Payment.Method, o.Status)
		}
	}
}

// serve answers requests until the check ends, over TLS with a certificate of its own where asked for.
func (s *scene) serve(secure bool, handler http.HandlerFunc) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	address = "http://" + l.Addr().String()
	if secure {
		address = "https://" + l.Addr().String()
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{s.certificate()}})
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: checkTimeout, ErrorLog: log.New(io.Discard, "", 0)}
	s.servers = append(s.servers, server)
	go func() { _ = server.Serve(l) }()
	return address
}

// certificate is one for 127.0.0.1 that nobody vouches for.
func (s *scene) certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	s.must(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
