output "size" {
  sensitive = true
}

output "sise" {
  value = 2
}
