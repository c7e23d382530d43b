package sandbox

// bank is one row of the document's table.
type bank struct{ code, name string }

// banks are those of the document's page "Colombia PSE" (PP-06).
var banks = []bank{
	{"1001", "BANCO DE BOGOTA"},
	{"1002", "BANCO POPULAR"},
	{"1006", "BANCO ITAU"},
	{"1007", "BANCOLOMBIA"},
	{"1009", "CITIBANK"},
	{"1012", "BANCO GNB SUDAMERIS"},
	{"1013", "BANCO BBVA COLOMBIA S.A."},
	{"1019", "SCOTIABANK COLPATRIA"},
	{"1023", "BANCO DE OCCIDENTE"},
	{"1032", "BANCO CAJA SOCIAL"},
	{"1040", "BANCO AGRARIO"},
	{"1047", "BANCO MUNDO MUJER S.A."},
	{"1051", "BANCO DAVIVIENDA"},
	{"1052", "BANCO AV VILLAS"},
	{"1059", "BANCAMIA S.A."},
	{"1060", "BANCO PICHINCHA S.A."},
	{"1061", "BANCOOMEVA S.A."},
	{"1062", "BANCO FALABELLA"},
	{"1063", "BANCO FINANDINA S.A. BIC"},
	{"1065", "BANCO SANTANDER COLOMBIA"},
	{"1066", "BANCO COOPERATIVO COOPCENTRAL"},
	{"1069", "BANCO SERFINANZA"},
	{"1070", "LULO BANK"},
	{"1071", "BANCO J.P. MORGAN COLOMBIA S.A."},
	{"1097", "DALE"},
	{"1121", "FINANCIERA JURISCOOP SA COMPAÑÍA DE FINANCIAMIENTO"},
	{"1283", "CFA COOPERATIVA FINANCIERA"},
	{"1286", "JFK COOPERATIVA FINANCIERA"},
	{"1289", "COTRAFA"},
	{"1292", "CONFIAR COOPERATIVA FINANCIERA"},
	{"1303", "BANCO UNION antes GIROS"},
	{"1370", "COLTEFINANCIERA"},
	{"1507", "NEQUI"},
	{"1551", "DAVIPLATA"},
	{"1558", "BAN100"},
	{"1637", "IRIS"},
	{"1801", "MOVII S.A."},
	{"1802", "DING"},
	{"1803", "POWWI"},
	{"1804", "UALÁ"},
	{"1808", "BOLD CF"},
	{"1809", "NU"},
	{"1811", "RAPPIPAY"},
	{"1812", "COINK SA"},
	{"1814", "GLOBAL66"},
	{"1815", "ALIANZA FIDUCIARIA"},
	{"1816", "CREZCAMOS"},
}

var bankNames = func() map[string]string {
	names := make(map[string]string, len(banks))
	for _, b := range banks {
		names[b.code] = b.name
	}
	return names
}()
