# A bucket whose name the type refuses, which only comes out when another one is there.

resource "acme_bucket" "early" {
  name = "early"
}

resource "acme_bucket" "late" {
  name = upper(acme_bucket.early.id)
}
