# The tests of routing.hcl. Run them after every change:  router test -c routing.hcl

test "PSE pay-ins" {
  payment = {
    operation   = "payin", method = "pse", amount = "20000"
    description = "Compra de producto ABC"
    return_url  = "https://shop.example/return"
    payer = {
      kind = "natural", name = "Miguel Rodriguez", email = "demo@demo.com", phone = "3057788996", bank = "1022"
      document = { type = "CE", number = "987654321" }
    }
  }
  expect = { route = "pse", providers = ["tpaga-pse"] }

  # A case is the payment above with what the case changes.
  case "go to Tpaga" {}
  case "the smallest" {
    payment = { amount = 1000 }
  }
  case "the largest" {
    payment = { amount = 40000000 }
  }
  case "less than PSE takes" {
    payment = { amount = 999.99 }
    expect  = { reject = "PSE takes 1,000 pesos or more" }
  }
  case "more than PSE takes" {
    payment = { amount = 40000000.01 }
    expect  = { reject = "PSE takes 40,000,000 pesos or less" }
  }
  case "nobody takes it while Tpaga is down" {
    given  = { down = ["tpaga-pse"] }
    expect = { route = "pse", providers = [] }
  }
}

test "cards are not taken" {
  payment = { operation = "payin", method = "card", amount = "20000" }
  expect  = { none = true }
}
