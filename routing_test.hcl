# What routing.hcl has to decide. Run it after every change of the rules:  router test -c routing.hcl
#
# `payment` is the payment, as the API takes it; `given` what is so besides; `expect` what must come out: the route, the
# providers in the order in which they would be tried, a reject's text, or none = true. A `case` begins with what its
# test says and changes some of it.

test "a PSE charge has three providers" {
  payment = {
    operation = "payin", method = "pse", amount = "20000", description = "Compra"
    payer = {
      kind  = "natural", first_name = "Ana", last_name = "Gil", document = { type = "CC", number = "1020304050" }
      email = "ana@example.com", phone = "3057788996", address = "Calle 123 # 45-67", bank = "1007"
    }
    return_url  = "https://shop.example/return"
    failure_url = "https://shop.example/failure"
    cancel_url  = "https://shop.example/cancel"
  }
  expect = { route = "pse", providers = ["tpaga-pse", "paypaga", "tumipay"] }

  case "the others when Tpaga is down" {
    given  = { down = ["tpaga-pse"] }
    expect = { providers = ["paypaga", "tumipay"] }
  }
  case "TumiPay takes 2,000 or more" {
    payment = { amount = "1999" }
    expect  = { providers = ["tpaga-pse", "paypaga"] }
  }
  case "PayPaga takes whole pesos" {
    payment = { amount = "20000.50" }
    given   = { down = ["tumipay"] } # whether it takes centavos depends on its amount_unit
    expect  = { providers = ["tpaga-pse"] }
  }
  case "PayPaga needs an address" {
    payment = { payer = { address = "" } }
    expect  = { providers = ["tpaga-pse", "tumipay"] }
  }
  case "a foreigner's card only at PayPaga" {
    payment = { payer = { document = { type = "TE" } } }
    expect  = { providers = ["paypaga"] }
  }
  case "the bounds belong to it" {
    payment = { amount = "40000000" }
    expect  = { providers = ["tpaga-pse", "paypaga"] }
  }
  case "too small" {
    payment = { amount = "999.99" }
    expect  = { route = "pse-too-small", reject = "PSE takes 1,000 pesos or more", providers = [] }
  }
  case "too large" {
    payment = { amount = "40000000.01" }
    expect  = { route = "pse-too-large", reject = "PSE takes 40,000,000 pesos or less", providers = [] }
  }
  case "a company" {
    payment = { payer = { kind = "legal", document = { type = "NIT", number = "9001234567" } } }
    expect  = { route = "pse-company-or-minor", providers = ["tpaga-pse"] }
  }
  case "a minor" {
    payment = { payer = { document = { type = "TI" } } }
    expect  = { route = "pse-company-or-minor", providers = ["tpaga-pse"] }
  }
}

test "what is no PSE goes to TumiPay" {
  payment = {
    operation = "payin", method = "efecty", amount = "20000", return_url = "https://shop.example/return"
    payer = {
      kind  = "natural", first_name = "Ana", last_name = "Gil", document = { type = "CC", number = "1020304050" }
      email = "ana@example.com", phone = "3057788996", address = "Calle 123 # 45-67", bank = "1007"
    }
  }
  expect = { route = "other-pay-ins", providers = ["tumipay"] }

  case "cards" {
    payment = { method = "card" }
  }
  case "Bre-B" {
    payment = { method = "breb" }
  }
  case "whatever the payer likes" {
    payment = { method = "any" }
  }
  case "Efecty takes 10,000 or more" {
    payment = { amount = "9999" }
    expect  = { providers = [] }
  }
}

test "payouts" {
  payment = {
    operation = "payout", method = "bank_transfer", amount = "150000"
    payee = {
      name = "Jovita Ducuara Prieto", document = { type = "CC", number = "11111158" }
      bank = "1013", account = { type = "savings", number = "68653284571" }
    }
  }
  expect = { route = "payouts", providers = ["coopcentral"] }

  case "large ones need an approval" {
    payment = { amount = "20000001" }
    expect  = { route = "payout-too-large", reject = "Payouts above 20,000,000 pesos need an approval", providers = [] }
  }
  case "nobody else takes them" {
    given  = { down = ["coopcentral"] }
    expect = { providers = [] }
  }
}

test "bills" {
  payment = { operation = "bill", method = "bill", amount = "12300", bill = { biller = "etb", reference = "111100005555" } }
  expect  = { route = "bills", providers = ["tpaga-bills"] }
}
