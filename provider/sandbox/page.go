package sandbox

import (
	_ "embed"
	"html/template"
	"net/http"
	"strings"

	"github.com/cauce-pay/cauce/payment"
)

// pagePath is where the bank's pages are; the id of a transaction follows.
const pagePath = "/bank/"

// Page is what the bank's page shows about a transaction, beside its amount.
type Page struct {
	Merchant    string
	Description string
	Bank        string
	// ReturnURL is where the payer is sent back to, given where the transaction stands now. What is not http or https
	// is no link.
	ReturnURL string
}

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// pageView is what page.html is made of.
type pageView struct {
	Page
	Status   Status // "" where there is no such transaction
	Amount   string
	Currency string
}

// showPage shows a transaction to its payer, with buttons while it is pending.
func (s *Sandbox[T]) showPage(w http.ResponseWriter, r *http.Request) {
	var view pageView
	_, err := s.update(func(b *Books[T]) { view = s.pageOf(b, r) })
	s.writePage(w, view, err)
}

// decidePage approves or declines a pending transaction and sends the payer back.
func (s *Sandbox[T]) decidePage(w http.ResponseWriter, r *http.Request) {
	decision, ok := map[string]Status{"approve": Approved, "decline": Rejected}[r.PostFormValue("decision")]
	if !ok {
		http.Error(w, "The form's field decision is approve or decline.", http.StatusBadRequest)
		return
	}
	var view pageView
	decided := false
	err := s.updateAndSend(func(b *Books[T]) {
		view = s.pageOf(b, r)
		if decided = view.Status == Pending; decided {
			b.Settle(b.about, decision)
			view = s.pageOf(b, r)
		}
	})
	if err == nil && decided && isHTTP(view.ReturnURL) {
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, view.ReturnURL, http.StatusSeeOther)
		return
	}
	s.writePage(w, view, err)
}

func (s *Sandbox[T]) pageOf(b *Books[T], r *http.Request) pageView {
	t := b.ByID(r.PathValue("id"))
	if t == nil || t.Refused {
		return pageView{}
	}
	view := pageView{Page: s.options.Page(b, t), Status: t.Status, Amount: grouped(t.Amount), Currency: t.Currency}
	if !isHTTP(view.ReturnURL) {
		view.ReturnURL = ""
	}
	return view
}

func (s *Sandbox[T]) writePage(w http.ResponseWriter, view pageView, err error) {
	if err != nil {
		http.Error(w, "sandbox: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	// No script and nothing from elsewhere runs here, and no shop can frame the page.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if view.Status == "" {
		w.WriteHeader(http.StatusNotFound)
	}
	if err := pageTemplate.Execute(w, view); err != nil {
		s.options.Logger.Error("sandbox: bank page", "error", err)
	}
}

// grouped writes an amount with its thousands apart: "1,234,567.50".
func grouped(m payment.Money) string {
	whole, cents, _ := strings.Cut(m.String(), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return whole + "." + cents
}
