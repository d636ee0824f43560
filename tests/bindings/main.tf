# Six buckets: one that another refers to, and four by count.

resource "acme_bucket" "base" {
  name = "base"
}

resource "acme_bucket" "part" {
  count = 4
  name  = "part-${count.index}"
  size  = count.index + 1
}

resource "acme_bucket" "mirror" {
  name   = "mirror"
  source = acme_bucket.base.id
}

output "mirror" {
  value = acme_bucket.mirror.url
}
