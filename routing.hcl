# Cauce's rules: which providers there are, and which of them gets which payment.
#
# Check this file after every change:  router validate -c routing.hcl
# Paths in it are relative to it. env("NAME") reads an environment variable, env("NAME", "default") one that may be
# missing, file("path") a file that holds one secret. Secrets never stand here in clear.

# Where `router serve` listens. Programs that embed Cauce ignore this block.
server {
  listen = "127.0.0.1:8080"

  # Where providers can reach this machine. Without it they send no webhooks, and payments are followed by asking.
  # public_url = "https://pay.example.com"
}

# Where payments are kept: a directory that only one router at a time opens.
store "pebble" {
  path = "data"
}

# Values that several rules share. Conditions read them as local.NAME.
locals {
  # Both ends of what one PSE payment may be at any of the providers, in pesos.
  pse_min = 1000
  pse_max = 40000000

  # Documents of payers whom only Tpaga takes: companies, and minors.
  tpaga_only = ["NIT", "TI"]
}

# A provider is one account at one payment company. Its label is its name everywhere: in routes, in the API and in
# metrics. `tpaga-pse describe` prints what may stand in its config block, and plugins/tpaga-pse/README.md explains it.
provider "tpaga-pse" {
  # plugin  = "tpaga-pse" # the default is the label; "./bin/tpaga-pse" names a file
  # sha256  = "…"         # pins the plugin's binary: 64 hexadecimal digits
  timeout = "20s" # one call's deadline, 1s to 5m

  config {
    base_url      = env("TPAGA_PSE_BASE_URL", "https://staging.apiv2.tpaga.co")
    client_id     = env("TPAGA_PSE_CLIENT_ID")
    client_secret = env("TPAGA_PSE_CLIENT_SECRET")
  }
}

provider "paypaga" {
  timeout = "30s" # PayPaga's own advice

  config {
    base_url      = env("PAYPAGA_BASE_URL", "https://api.v2.stg.paypaga.com")
    client_id     = env("PAYPAGA_CLIENT_ID")
    client_secret = env("PAYPAGA_CLIENT_SECRET")
  }
}

provider "tumipay" {
  config {
    base_url  = env("TUMIPAY_BASE_URL", "https://api-empresas.staging.tumipay.co/production/api")
    username  = env("TUMIPAY_USERNAME")
    password  = env("TUMIPAY_PASSWORD")
    token_top = env("TUMIPAY_TOKEN_TOP")

    # What one unit of its amounts is, "peso" or "cent". TumiPay's documents contradict each other: ask, try it, and
    # compare the amount on the payment page before going live.
    amount_unit = env("TUMIPAY_AMOUNT_UNIT")
  }
}

provider "coopcentral" {
  config {
    base_url = env("COOPCENTRAL_BASE_URL", "https://staging.banking-gateway.tpaga.co")
    token    = env("COOPCENTRAL_TOKEN")

    # What one unit of its amounts is, "peso" or "cent". Its document does not say: ask Tpaga.
    amount_unit = env("COOPCENTRAL_AMOUNT_UNIT")
  }
}

provider "tpaga-bills" {
  config {
    base_url      = env("TPAGA_BILLS_BASE_URL", "https://staging.apiv2.tpaga.co")
    client_id     = env("TPAGA_BILLS_CLIENT_ID")
    client_secret = env("TPAGA_BILLS_CLIENT_SECRET")
  }
}

# Routes are looked at from top to bottom, and the first whose `when` holds decides. A condition names a payment's
# fields as the API does: operation, method, amount, payer.bank, payer.document.type, metadata.shop and so on. It
# joins tests with && and ||, turns them round with not (…), and looks into lists with `in`. Amounts compare
# exactly, cents included. A field that the payment leaves out is '' (tax is 0).
#
# A route without `when` takes every payment that no route before it took. A payment that no route takes fails with
# no_route. POST /v1/decisions tells where a payment would go, without paying.

# `reject` refuses a payment before any provider hears of it; the text becomes the failure's message.
route "pse-too-small" {
  when   = "method == 'pse' && amount < local.pse_min"
  reject = "PSE takes 1,000 pesos or more"
}

route "pse-too-large" {
  when   = "method == 'pse' && amount > local.pse_max"
  reject = "PSE takes 40,000,000 pesos or less"
}

# The narrow routes come before the wide one. The others would refuse these payers anyway, each with its reason in the
# decision; a route of their own says so to whoever reads the rules.
route "pse-company-or-minor" {
  when      = "operation == 'payin' && method == 'pse' && (payer.kind == 'legal' || payer.document.type in local.tpaga_only)"
  providers = ["tpaga-pse"]
}

# `providers` are tried in this order, as far as each can take the payment at all: PayPaga takes whole pesos, names of
# up to 25 letters and needs an address, TumiPay takes 2,000 to 2,000,000 pesos. Who was left out, and why, stands in
# the payment's decision.
route "pse" {
  when      = "operation == 'payin' && method == 'pse'"
  providers = ["tpaga-pse", "paypaga", "tumipay"]

  # When a provider certainly did not execute the payment, the next one may be tried. These are the defaults, but for
  # `within`. An unclear answer is no such case: it is cleared up with the same provider. All three stand before the
  # same PSE network: when a bank is down there, it is down for all of them.
  failover = {
    on           = ["unavailable", "unauthorized", "exhausted", "invalid"]
    max_attempts = 3
    within       = "60s"
  }
}

# Cash at Efecty, cards, Bre-B keys, and `any`, where the payer chooses on TumiPay's page.
route "other-pay-ins" {
  when      = "operation == 'payin' && method in ['efecty', 'card', 'breb', 'any']"
  providers = ["tumipay"]
}

# Money to a bank account. Above this amount somebody should look first; split it, or raise the limit.
route "payout-too-large" {
  when   = "operation == 'payout' && amount > 20000000"
  reject = "Payouts above 20,000,000 pesos need an approval"
}

route "payouts" {
  when      = "operation == 'payout'"
  providers = ["coopcentral"]
}

# Bills of the companies that GET /v1/billers lists. Here a lost answer is never cured by another provider.
route "bills" {
  when      = "operation == 'bill'"
  providers = ["tpaga-bills"]
}
