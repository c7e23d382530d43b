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
  # Both ends of what one PSE payment may be, in pesos.
  pse_min = 1000
  pse_max = 40000000
}

# A provider is one account at one payment company. Its label is its name everywhere: in routes, in the API and in
# metrics. `tpaga-pse describe` prints what may stand in its config block.
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

# `providers` are tried in this order, as far as each can take the payment at all.
route "pse" {
  when      = "operation == 'payin' && method == 'pse'"
  providers = ["tpaga-pse"]

  # When a provider certainly did not execute the payment, the next one may be tried. These are the defaults, but for
  # `within`. An unclear answer is no such case: it is cleared up with the same provider.
  failover = {
    on           = ["unavailable", "unauthorized", "exhausted", "invalid"]
    max_attempts = 3
    within       = "30s"
  }
}
