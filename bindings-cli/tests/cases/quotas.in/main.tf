variable "many" {
  type    = number
  default = 1
}

resource "terraform_data" "a" {
  count = var.many
}
