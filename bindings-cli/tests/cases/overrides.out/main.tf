locals {
  size = 1
}

output "size" {
  value = local.size
}
