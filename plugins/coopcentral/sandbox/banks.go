package sandbox

import (
	"net/http"

	"github.com/cauce-pay/cauce/provider/sandbox"
)

// bank is one row of GET /banks.
type bank struct {
	Name string `json:"name"`
	Slug string `json:"slug"`
}

// banks are those of the document's example and others of Tpaga's lists. Many a slug is not what one would make
// of the name, two belong to no bank that a client can know, and not every bank is there (CC-14).
var banks = []bank{
	{"BBVA", "bbva"},
	{"BANCO CAJA SOCIAL", "banco-caja-social"},
	{"ALIANZA FIDUCIARIA", "alianza-fiduciaria"},
	{"BAN100", "ban100"},
	{"BANCAMIA S.A.", "bancamia"},
	{"BANCO AGRARIO", "banco-agrario"},
	{"BANCO AV VILLAS", "av-villas"},
	{"BANCO DAVIVIENDA", "davivienda"},
	{"BANCO DE BOGOTA", "banco-de-bogota"},
	{"BANCO DE OCCIDENTE", "banco-de-occidente"},
	{"BANCO FALABELLA", "banco-falabella"},
	{"BANCO FINANDINA S.A. BIC", "banco-finandina"},
	{"BANCO GNB SUDAMERIS", "banco-gnb-sudameris"},
	{"BANCO ITAU", "itau"},
	{"BANCO J.P. MORGAN COLOMBIA S.A.", "banco-jp-morgan"},
	{"BANCO MUNDO MUJER S.A.", "banco-mundo-mujer"},
	{"BANCO PICHINCHA S.A.", "banco-pichincha"},
	{"BANCO POPULAR", "banco-popular"},
	{"BANCO SERFINANZA", "banco-serfinanza"},
	{"BANCO W", "banco-w"},
	{"BANCOLOMBIA", "bancolombia"},
	{"BANCOOMEVA S.A.", "bancoomeva"},
	{"CFA COOPERATIVA FINANCIERA", "cfa"},
	{"CITIBANK", "citibank"},
	{"CONFIAR COOPERATIVA FINANCIERA", "confiar"},
	{"DALE", "dale"},
	{"DAVIPLATA", "daviplata"},
	{"DAVIBANK S.A.", "scotiabank-colpatria"},
	{"FINANCIERA JURISCOOP SA", "juriscoop"},
	{"LULO BANK", "lulo-bank"},
	{"MOVII S.A.", "movii"},
	{"NEQUI", "nequi"},
	{"NU", "nu"},
	{"RAPPIPAY", "rappipay"},
	{"UALÁ", "uala"},
	{"COOPERATIVA DE PRUEBA", "coop-7"},
	{"BANCO DE PRUEBA", "qa-01"},
}

var bankNames = func() map[string]string {
	names := make(map[string]string, len(banks))
	for _, b := range banks {
		names[b.Slug] = b.Name
	}
	return names
}()

// listBanks is GET /banks.
func listBanks(*call) sandbox.Answer {
	return sandbox.JSON(http.StatusOK, map[string][]bank{"banks": banks})
}
