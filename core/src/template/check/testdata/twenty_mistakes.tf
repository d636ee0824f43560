# A template with twenty mistakes: five each of syntax, reference, type and schema. Everything else in it is sound.

variable "region" {
  type    = string
  default = "north"
}

variable "sizes" {
  type    = map(number)
  default = { small = 1, large = "eight" } # type 1: the default does not fit
}

variable "ports" {
  type    = list(number)
  default = [80, 443 # syntax 1: the bracket has no partner
}

locals {
  zone    = "${var.region}-a"
  path    = "C:\quux" # syntax 2: there is no such escape
  half    = 1 / # syntax 3: something is missing
  doubled = "2 * ${2 *}" # syntax 4: something is missing
  total   = "a" + 1 # type 2: a text is no number
  sum     = local.total + 1
}

resource "acme_vpc" "main" {
  cidr = var.regoin # reference 1: a slip
  size = "big"      # type 3: not a number

  rule {
    port = 80
  }
}

resource "acme_vpc" "many" {
  count = 2
  cdir  = "10.0.0.0/8" # schema 1: a slip
  size  = local.nope   # reference 2: not declared

  rule {
    label = "no port" # schema 2: the port is missing
  }
}

resource "acme_strict" "strict" { # schema 3: a disk is missing
  name = upper(["x"]) # type 4: not a text
}

resource "acme_vcp" "typo" { # schema 4: a slip
  cidr = "10.0.0.0/8"
}

resource "acme_vpc" "ids" {
  id   = "vpc-1"            # schema 5: decided by the resource
  cidr = acme_vpc.mian.cidr # reference 3: a slip
  tags = { a = acme_vpc.many.id } # reference 4: which instance?
}

data "acme_zone" "zone" {
  name = each.key # reference 5: there is no `for_each`
}

resource "acme_vpc" "each" {
  for_each = ["a", "b"] # type 5: a list is no set
  cidr     = each.value
}

output "zone" {
  value = data.acme_zone.zone.id
}

output "last" {
  value = [for vpc in acme_vpc.many : vpc.id # syntax 5: the bracket has no partner
}
