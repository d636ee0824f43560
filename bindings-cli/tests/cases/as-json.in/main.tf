variable "secret" {
  default   = "s3cr3t-canary"
  sensitive = true
}

resource "terraform_data" "a" {
  input            = { text = "one" }
  triggers_replace = var.secret
}

output "text" {
  value = terraform_data.a.output.text
}

output "secret" {
  value     = var.secret
  sensitive = true
}
