variable "token" {
  ephemeral = true
}

variable "scope" {
  ephemeral = true
  default   = "everything"
}

variable "name" {
  default = "ann"
}

resource "terraform_data" "account" {
  input = var.name

  lifecycle {
    precondition {
      condition     = startswith(var.token, "t-")
      error_message = "That is no token."
    }
  }
}
