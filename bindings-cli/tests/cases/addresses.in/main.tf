resource "local_file" "a" {
  count   = 2
  path    = "a-${count.index}.txt"
  content = "a"
}

resource "local_file" "b" {
  for_each = toset(["x", "y"])
  path     = "b-${each.key}.txt"
  content  = local_file.a[0].content
}
