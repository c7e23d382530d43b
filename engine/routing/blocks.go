package routing

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Block is a type of block. The loader takes its schemas from the same table.
type Block struct {
	Type  string
	Label string // what its label is; "" = it has none
	Doc   string
	// Attributes are all that it can have; those of locals and of a provider's config are the author's and the plugin's.
	Attributes []Attribute
	Blocks     []Block
}

// Attribute is an attribute of a block, or a part of an object.
type Attribute struct {
	Name     string
	Required bool
	Doc      string
	Example  string // a value, as it is written
	// Values are the only texts that it can hold; nil = others too.
	Values []string
	// Names tells which names its texts are (of an object: its keys); Unnamed = they are none.
	Names Naming
	Parts []Attribute // of an object; nil = its keys are names, or it is none
}

// Naming is a kind of names that texts in rules can be.
type Naming int

// The kinds of names.
const (
	Unnamed       Naming = iota
	ProviderNames        // of provider blocks
	RouteNames           // of route blocks
	FieldNames           // of the payment
)

// Attribute returns the attribute with that name.
func (b Block) Attribute(name string) (Attribute, bool) { return attributeIn(b.Attributes, name) }

// Part returns the part with that name.
func (a Attribute) Part(name string) (Attribute, bool) { return attributeIn(a.Parts, name) }

func attributeIn(list []Attribute, name string) (Attribute, bool) {
	i := slices.IndexFunc(list, func(a Attribute) bool { return a.Name == name })
	if i < 0 {
		return Attribute{}, false
	}
	return list[i], true
}

// Blocks lists the types of blocks of a file of rules. A *_test.hcl file has test blocks only.
func Blocks() []Block { return slices.Clone(blocks) }

// BlockAt returns the type of the blocks at a path like "provider", "config".
func BlockAt(path ...string) (Block, bool) {
	at := Block{Blocks: blocks}
	for _, name := range path {
		i := slices.IndexFunc(at.Blocks, func(b Block) bool { return b.Type == name })
		if i < 0 {
			return Block{}, false
		}
		at = at.Blocks[i]
	}
	return at, true
}

var booleans = []string{"true", "false"}

var blocks = []Block{
	{Type: "server", Doc: "How the daemon is reached, which the library ignores, and rules to compare with.", Attributes: []Attribute{
		{Name: "listen", Doc: "host and port to listen on; 127.0.0.1:8080 by default", Example: `"127.0.0.1:8080"`},
		{Name: "public_url", Doc: "where providers reach the daemon's webhooks", Example: `"https://pay.example.com"`},
		{Name: "shadow", Doc: "rules that decide every payment too, with no effect, from the next reload on; router rules shadow tells what they would change", Example: `"next.hcl"`},
	}},
	{Type: "store", Label: "its kind: " + oneOf(storeKinds), Doc: "Where payments are kept.", Attributes: []Attribute{
		{Name: "path", Doc: "its directory; data by default, beside the rules", Example: `"data"`},
	}},
	{Type: "api_key", Label: "a name", Doc: "Lets a caller in. router key new makes one.", Attributes: []Attribute{
		{Name: "sha256", Required: true, Doc: "hash of the key: 64 hexadecimal digits"},
		{Name: "scopes", Required: true, Doc: "what the caller may do", Example: `["payments"]`, Values: scopes},
	}},
	{Type: "webhook", Label: "a name", Doc: "Where a merchant hears of payments.", Attributes: []Attribute{
		{Name: "url", Required: true, Doc: "absolute http or https URL", Example: `"https://shop.example/hooks"`},
		{Name: "secret", Required: true, Doc: "signs the messages, as Standard Webhooks say; at least 16 characters", Example: `env("SHOP_WEBHOOK_SECRET")`},
		{Name: "events", Doc: "which messages; what ends a payment by default", Example: `["payment.succeeded"]`, Values: webhookEvents},
		{Name: "allow_private", Doc: "it may be a loopback or private address; false by default", Example: "true", Values: booleans},
	}},
	{Type: "locals", Doc: "Values with names, read as local.NAME."},
	{Type: "provider", Label: "its name", Doc: "One account at one payment company.", Attributes: []Attribute{
		{Name: "plugin", Doc: "the plugin's name, or the path of a binary; the label by default", Example: `"tpaga-pse"`},
		{Name: "sha256", Doc: "pins the plugin's binary: 64 hexadecimal digits"},
		{Name: "timeout", Doc: "bounds one call: 1s to 5m, 20s by default", Example: `"20s"`},
		{Name: "notification_secret", Doc: "last part of its webhook's path; random by default", Example: `env("TPAGA_HOOK")`},
		{Name: "fee", Doc: "what a payment costs us there", Example: "{ fixed = 900, percent = 1.2 }", Parts: []Attribute{
			{Name: "fixed", Doc: "pesos a payment, 0 to 1,000,000", Example: "900"},
			{Name: "percent", Doc: "of its amount, 0 to 100", Example: "1.2"},
		}},
		{Name: "breaker", Doc: "when its calls are given a rest", Example: `{ failures = 5, within = "1m", cool_off = "30s" }`, Parts: []Attribute{
			{Name: "failures", Doc: "that open it: 0 (never) to 1000, 5 by default", Example: "5"},
			{Name: "within", Doc: "time in which they are counted: 1s to 1h, 1m by default", Example: `"1m"`},
			{Name: "cool_off", Doc: "how long it rests: 1s to 1h, 30s by default", Example: `"30s"`},
		}},
		{Name: "limit", Doc: "bounds what it is sent", Example: "{ in_flight = 64, per_second = 50 }", Parts: []Attribute{
			{Name: "in_flight", Doc: "attempts under way: 1 to 100,000", Example: "64"},
			{Name: "per_second", Doc: "new attempts: 1 to 100,000", Example: "50"},
		}},
		{Name: "maintenance", Doc: "when it gets no new payments, in America/Bogota; one window or a list",
			Example: `{ from = "22:00", to = "05:00", days = ["sat", "sun"] }`, Parts: []Attribute{
				{Name: "from", Required: true, Doc: "time of day at which it begins", Example: `"22:00"`},
				{Name: "to", Required: true, Doc: "time of day at which it ends", Example: `"05:00"`},
				{Name: "days", Doc: "on which it begins; every day by default", Example: `["sat", "sun"]`, Values: weekdays},
			}},
	}, Blocks: []Block{{Type: "config", Doc: "What the plugin needs; which attributes there are is the plugin's to say."}}},
	{Type: "route", Label: "its name", Doc: "The first route whose when holds decides.", Attributes: []Attribute{
		{Name: "when", Doc: "the condition; every payment matches by default", Example: `"method == 'pse' && amount >= 1000"`},
		{Name: "providers", Doc: "its candidates, in order", Example: `["tpaga-pse", "paypaga"]`, Names: ProviderNames},
		{Name: "strategy", Doc: "which candidate comes first", Example: `"least_cost"`, Values: strategyNames()},
		{Name: "failover", Doc: "when another candidate is tried",
			Example: `{ on = ["unavailable"], max_attempts = 2, within = "30s" }`, Parts: []Attribute{
				{Name: "on", Doc: "errors after which it is", Example: `["unavailable"]`, Values: failoverCodes},
				{Name: "max_attempts", Doc: "the first included: 1 to 100; as many as there are candidates by default", Example: "2"},
				{Name: "within", Doc: "time since the first attempt: 1ms to 24h; no bound by default", Example: `"30s"`},
			}},
		{Name: "reject", Doc: "instead of providers: refuses the payment with this text", Example: `"PSE takes 1,000 pesos or more"`},
		{Name: "split", Doc: "each candidate's share in percent, for strategy = \"split\"", Example: "{ tpaga-pse = 70, paypaga = 30 }", Names: ProviderNames},
		{Name: "success_rate", Doc: "how candidates are compared, for strategy = \"success_rate\"",
			Example: `{ window = "30m", explore = 0.05, by = ["method", "payer.bank"] }`, Parts: []Attribute{
				{Name: "window", Doc: "how far back attempts count: 1m to 168h, 30m by default", Example: `"30m"`},
				{Name: "explore", Doc: "share that tries another candidate first: 0 to 0.5, 0.05 by default", Example: "0.05"},
				{Name: "by", Doc: "only payments with the same values of these are compared", Example: `["payer.bank"]`, Values: groupingFields()},
			}},
	}},
	{Type: "test", Label: "what is to hold", Doc: "One payment, and what the rules have to say about it. router test runs it.",
		Attributes: caseAttributes, Blocks: []Block{
			{Type: "case", Label: "what is to hold", Doc: "Another payment: the test's, with these changes.", Attributes: caseAttributes},
		}},
}

var caseAttributes = []Attribute{
	{Name: "payment", Doc: "as the API takes it", Example: `{ operation = "payin", method = "pse", amount = "20000" }`, Names: FieldNames},
	{Name: "given", Doc: "what is taken for granted", Example: `{ down = ["paypaga"], now = "2026-12-24T22:00" }`, Parts: []Attribute{
		{Name: "down", Doc: "providers that are not running", Example: `["paypaga"]`, Names: ProviderNames},
		{Name: "paused", Doc: "providers that an operator has paused", Example: `["paypaga"]`, Names: ProviderNames},
		{Name: "unhealthy", Doc: "providers that do not work at present", Example: `["paypaga"]`, Names: ProviderNames},
		{Name: "now", Doc: "the time in America/Bogota", Example: `"2026-12-24T22:00"`},
		{Name: "id", Doc: "of the payment, by which split and the exploring of success_rate draw", Example: `"pay_1"`},
	}},
	{Name: "expect", Doc: "what the rules have to say", Example: `{ route = "pse", providers = ["tpaga-pse"] }`, Parts: []Attribute{
		{Name: "route", Doc: "that decides", Example: `"pse"`, Names: RouteNames},
		{Name: "providers", Doc: "in the order in which they are tried", Example: `["tpaga-pse"]`, Names: ProviderNames},
		{Name: "reject", Doc: "the text of the refusal", Example: `"PSE takes 1,000 pesos or more"`},
		{Name: "none", Doc: "no route matches", Example: "true", Values: booleans},
	}},
}

// schemaOf returns what the loader takes in a block.
func schemaOf(path ...string) *hcl.BodySchema {
	b, _ := BlockAt(path...)
	s := &hcl.BodySchema{}
	for _, a := range b.Attributes {
		s.Attributes = append(s.Attributes, hcl.AttributeSchema{Name: a.Name, Required: a.Required})
	}
	for _, inner := range b.Blocks {
		header := hcl.BlockHeaderSchema{Type: inner.Type}
		if inner.Label != "" {
			header.LabelNames = []string{"name"}
		}
		s.Blocks = append(s.Blocks, header)
	}
	return s
}
