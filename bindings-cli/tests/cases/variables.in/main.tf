variable "a" { default = "default" }
variable "b" { default = "default" }
variable "c" { default = "default" }
variable "d" { default = "default" }
variable "list" {
  type    = list(number)
  default = []
}

output "all" {
  value = "${var.a} ${var.b} ${var.c} ${var.d} ${length(var.list)}"
}
