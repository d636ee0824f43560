# What expressions can refer to.

terraform {
  required_providers {
    terraform = {
      source = "terraform.io/builtin/terraform"
    }
  }
}

# Not made yet: the output is not known, its type is.
resource "terraform_data" "text" {
  input = "a"
}

resource "terraform_data" "number" {
  input = 1
}

resource "terraform_data" "truth" {
  input = true
}

resource "terraform_data" "list" {
  input = tolist(["a", "b"])
}

resource "terraform_data" "numbers" {
  input = tolist([1, 2])
}

resource "terraform_data" "set" {
  input = toset(["a", "b"])
}

resource "terraform_data" "map" {
  input = tomap({ a = "x", b = "y" })
}

resource "terraform_data" "tuple" {
  input = [1, "a", true]
}

resource "terraform_data" "object" {
  input = { name = "n", size = 1, tags = ["a"] }
}

locals {
  s     = "hello world"
  empty = ""
  uni   = "zażółć e\u0301👨‍👩‍👧!"
  lines = "one\ntwo\n\n  three\n"
  tpl   = "Hi $${name}%%{ if polite }, please%%{ endif }"
  bad   = "Hi $${"
  digit = "12"
  n     = 42
  f     = 3.75
  neg   = -7
  big   = 123456789012345678901234567890
  third = 1 / 3
  t     = true
  no    = false
  nul   = null
  nuls  = tostring(null)
  nuln  = tonumber(null)
  nulb  = tobool(null)
  null_list = tolist(null)

  ls   = tolist(["b", "a", "c", "a"])
  ln   = tolist([3, 1, 2])
  lb   = tolist([true, false])
  le   = tolist([])
  lo   = tolist([{ id = 1, name = "a" }, { id = 2, name = "b" }])
  ll   = tolist([tolist(["a"]), tolist(["b", "c"]), tolist([])])
  ss   = toset(["y", "x", "z"])
  sn   = toset([2, 10, 1])
  se   = toset([])
  so   = toset([{ a = 1, b = "x" }, { a = 2, b = "y" }])
  ms   = tomap({ a = "1", b = "2" })
  mn   = tomap({ x = 1, y = 2 })
  me   = tomap({})
  ml   = tomap({ a = tolist(["1"]), b = tolist(["1", "2"]) })
  mo   = tomap({ p = { a = 1, b = "x" }, q = { a = 2, b = "y" } })
  tup  = [1, "a", true, null]
  tupe = []
  objs = [{ id = 1, name = "a", on = true }, { id = 2, name = "b" }]
  obj  = { name = "n", size = 3, tags = ["p", "q"], nested = { k = null, deep = { v = "x" } } }
  obje = {}

  pw  = sensitive("s3cret")
  pn  = sensitive(5)
  pb  = sensitive(true)
  pl  = sensitive(tolist(["a", "b"]))
  pt  = sensitive([1, "x"])
  pm  = { a = sensitive("x"), b = "y" }
  pmm = tomap({ a = sensitive("x"), b = "y" })
  pel = tolist(["a", sensitive("b")])
  ps  = toset(["a", sensitive("b")])
  po  = sensitive({ a = 1, b = "z" })
  pu  = sensitive(terraform_data.text.output)

  us  = terraform_data.text.output
  ui  = terraform_data.text.id
  un  = terraform_data.number.output
  ub  = terraform_data.truth.output
  ul  = terraform_data.list.output
  uln = terraform_data.numbers.output
  ut  = terraform_data.set.output
  um  = terraform_data.map.output
  utu = terraform_data.tuple.output
  uo  = terraform_data.object.output
  ua  = jsondecode(terraform_data.text.id)
  ux  = "pre-${terraform_data.text.id}"
  lu  = tolist(["a", terraform_data.text.output])
  su  = toset(["a", terraform_data.text.output])
  mu  = tomap({ a = "x", b = terraform_data.text.output })
  tu  = [1, terraform_data.text.output]
  ou  = { a = 1, b = terraform_data.text.id }
}
