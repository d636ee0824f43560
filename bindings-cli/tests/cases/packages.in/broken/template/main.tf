variable "stackwright_app" {}

resource "terraform_data" "main" {
  imput = var.size
}
