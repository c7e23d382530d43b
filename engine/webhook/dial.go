package webhook

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// newClient returns a client that follows no redirects and uses no proxy. Unless private is set, it connects to
// public addresses only. The address is checked when it is dialled, after the name was resolved: a name may
// resolve to another address every time.
func newClient(private bool) *http.Client {
	dialer := &net.Dialer{}
	if !private {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			return checkPublic(to.Addr())
		}
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, DisableCompression: true,
			MaxIdleConnsPerHost: inFlight, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: maxAnswer,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// reserved are the networks of the IANA special-purpose registries (RFC 6890) that netip has no name for, and those
// that lead to IPv4 addresses.
var reserved = func() (all []netip.Prefix) {
	for _, text := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10",
	} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}()

func checkPublic(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	public := ip.IsGlobalUnicast() && !ip.IsPrivate()
	for _, network := range reserved {
		public = public && !network.Contains(ip)
	}
	if !public {
		return fmt.Errorf("%s is no public address; write allow_private = true in the webhook block if it is meant", ip)
	}
	return nil
}
