variable "size" {
  type    = number
  default = 2
}

resource "terraform_data" "disk" {
  input = var.size
}

check "large_enough" {
  assert {
    condition     = terraform_data.disk.input >= 10
    error_message = "The disk has ${terraform_data.disk.input} GB; 10 are enough for a year."
  }

  assert {
    condition     = terraform_data.disk.output == var.size
    error_message = "The disk has another size than it should have."
  }
}
