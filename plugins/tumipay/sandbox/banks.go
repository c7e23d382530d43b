package sandbox

// bank is one row of GET /v1/pse/banks.
type bank struct {
	Code  string `json:"code"`
	Name  string `json:"name"`
	Image string `json:"image"`
}

// banks are some of production's, and entries of PSE's test network: 0, which is no bank, and 1077, that of the
// document's direct pay-in (TM-21).
var banks = []bank{
	{"0", "A continuación seleccione su banco", ""},
	{"1077", "BANKA", ""},
	{"1040", "BANCO AGRARIO", ""},
	{"1052", "BANCO AV VILLAS", ""},
	{"1013", "BANCO BBVA COLOMBIA S.A.", ""},
	{"1032", "BANCO CAJA SOCIAL", ""},
	{"1066", "BANCO COOPERATIVO COOPCENTRAL", ""},
	{"1051", "BANCO DAVIVIENDA", ""},
	{"1001", "BANCO DE BOGOTA", ""},
	{"1023", "BANCO DE OCCIDENTE", ""},
	{"1062", "BANCO FALABELLA", ""},
	{"1012", "BANCO GNB SUDAMERIS", ""},
	{"1006", "BANCO ITAU", ""},
	{"1060", "BANCO PICHINCHA S.A.", ""},
	{"1002", "BANCO POPULAR", ""},
	{"1065", "BANCO SANTANDER COLOMBIA", ""},
	{"1069", "BANCO SERFINANZA", ""},
	{"1022", "BANCO UNION COLOMBIANO", ""},
	{"1007", "BANCOLOMBIA", ""},
	{"1061", "BANCOOMEVA S.A.", ""},
	{"1551", "DAVIPLATA", ""},
	{"1637", "IRIS", ""},
	{"1070", "LULO BANK", ""},
	{"1801", "MOVII S.A.", ""},
	{"1507", "NEQUI", ""},
	{"1809", "NU", ""},
	{"1811", "RAPPIPAY", ""},
	{"1019", "SCOTIABANK COLPATRIA", ""},
}

var bankNames = func() map[string]string {
	names := make(map[string]string, len(banks))
	for _, b := range banks {
		names[b.Code] = b.Name
	}
	return names
}()
