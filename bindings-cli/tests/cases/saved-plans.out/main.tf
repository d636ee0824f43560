variable "text" {
  default = "one"
}

resource "local_file" "a" {
  path    = "${path.cwd}/a.txt"
  content = var.text
}
