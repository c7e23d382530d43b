package sandbox

// bank is one row of GET /public/banks.
type bank struct {
	Name string `json:"name"`
	Code string `json:"code"`
}

// placeholder is the entry that PSE puts before its list; it is no bank.
const placeholder = "0"

// banks are the banks of production and, as on staging, the entries of PSE's test network: 0, 1022 (the one to
// try payments with), 1080, 1081 and 5016, which is 1815 under another code (TP-16).
var banks = []bank{
	{"A continuacion seleccione su banco", "0"},
	{"ALIANZA FIDUCIARIA", "1815"},
	{"ALIANZA FIDUCIARIA S A", "5016"},
	{"BAN100", "1558"},
	{"BANCAMIA", "1059"},
	{"BANCO AGRARIO", "1040"},
	{"BANCO AGRARIO DESARROLLO", "1081"},
	{"BANCO AGRARIO QA DEFECTOS", "1080"},
	{"BANCO AV VILLAS", "1052"},
	{"BANCO BBVA COLOMBIA S.A.", "1013"},
	{"BANCO CAJA SOCIAL", "1032"},
	{"BANCO COOPERATIVO COOPCENTRAL", "1066"},
	{"BANCO DAVIVIENDA", "1051"},
	{"BANCO DE BOGOTA", "1001"},
	{"BANCO DE OCCIDENTE", "1023"},
	{"BANCO FALABELLA", "1062"},
	{"BANCO FINANDINA S.A. BIC", "1063"},
	{"BANCO GNB SUDAMERIS", "1012"},
	{"BANCO ITAU", "1006"},
	{"BANCO J.P. MORGAN COLOMBIA S.A.", "1071"},
	{"BANCO MUNDO MUJER S.A.", "1047"},
	{"BANCO PICHINCHA S.A.", "1060"},
	{"BANCO POPULAR", "1002"},
	{"BANCO SANTANDER COLOMBIA", "1065"},
	{"BANCO SERFINANZA", "1069"},
	{"BANCO UNION COLOMBIANO", "1022"},
	{"BANCO UNION antes GIROS", "1303"},
	{"BANCOLOMBIA", "1007"},
	{"BANCOOMEVA S.A.", "1061"},
	{"BOLD CF", "1808"},
	{"CFA COOPERATIVA FINANCIERA", "1283"},
	{"CITIBANK", "1009"},
	{"COINK SA", "1812"},
	{"COLTEFINANCIERA", "1370"},
	{"CONFIAR COOPERATIVA FINANCIERA", "1292"},
	{"COTRAFA", "1289"},
	{"CREZCAMOS", "1816"},
	{"DALE", "1097"},
	{"DAVIPLATA", "1551"},
	{"DING", "1802"},
	{"FINANCIERA JURISCOOP SA COMPAÑÍA DE FINANCIAMIENTO", "1121"},
	{"GLOBAL66", "1814"},
	{"IRIS", "1637"},
	{"JFK COOPERATIVA FINANCIERA", "1286"},
	{"LULO BANK", "1070"},
	{"MOVII S.A.", "1801"},
	{"NEQUI", "1507"},
	{"NU", "1809"},
	{"POWWI", "1803"},
	{"RAPPIPAY", "1811"},
	{"SCOTIABANK COLPATRIA", "1019"},
	{"UALÁ", "1804"},
}

var bankNames = func() map[string]string {
	names := make(map[string]string, len(banks))
	for _, b := range banks {
		names[b.Code] = b.Name
	}
	return names
}()
