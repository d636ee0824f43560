# A small site: a folder, pages in it, and an archive of all of them.

variable "sections" {
  type    = list(string)
  default = ["shop", "about", "news", "help"]
}

resource "site_folder" "site" {
  name = "site"
}

resource "site_page" "section" {
  for_each = toset(var.sections)
  folder   = site_folder.site.id
  name     = each.key
  text     = "Welcome to ${each.key}."
}

resource "site_page" "index" {
  folder = site_folder.site.id
  name   = "index"
  text   = join(", ", [for page in site_page.section : page.id])
}

resource "site_archive" "all" {
  folder   = site_folder.site.id
  contents = join(" ", concat([site_page.index.digest], [for page in site_page.section : page.digest]))
}

output "index" {
  value = site_page.index.id
}

output "bytes" {
  value = site_archive.all.bytes
}
