resource "site_page" "index" {
  name = "index"
  text = "Welcome"
}

resource "site_page" "about" {
  name = "about"
  text = "We are at ${site_page.index.url}."
}
