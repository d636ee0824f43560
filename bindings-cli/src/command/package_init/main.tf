variable "replicas" {
  type = number
}

variable "domain" {
  type = string
}

# Set by the platform.
variable "stackwright_app_id" {
  type = string
}

resource "terraform_data" "main" {
  count = var.replicas
  input = "${var.stackwright_app_id}-${count.index} at ${var.domain}"
}

output "address" {
  description = "Where it is."
  value       = "https://${var.domain}"
}
