variable "name" {}

variable "secret" {
  default   = "s3cr3t-canary"
  sensitive = true
}

resource "terraform_data" "a" {
  input = 1
}
