variable "size" {
  type = number

  validation {
    condition     = var.size < 10
    error_message = "Sizes are below ten."
  }
}

resource "terraform_data" "a" {
  input = var.size
}
