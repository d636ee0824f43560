# Three buckets whose first creation goes wrong, each in its way.

resource "acme_bucket" "raised" {
  name = "raised"
}

resource "acme_bucket" "refused" {
  name = "refused"
}

resource "acme_bucket" "torn" {
  name = "torn"
}
