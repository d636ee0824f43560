ephemeral "random_password" "draft" {
  length = 12
}

resource "terraform_data" "account" {
  count = length(ephemeral.random_password.draft.result)
  input = ephemeral.random_password.draft.result
}

output "password" {
  value = ephemeral.random_password.draft.result
}
