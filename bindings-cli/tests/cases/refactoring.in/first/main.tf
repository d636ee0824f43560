resource "local_file" "page" {
  path    = "../page.txt"
  content = "a page"
}

resource "local_file" "old" {
  path    = "../old.txt"
  content = "old"
}
