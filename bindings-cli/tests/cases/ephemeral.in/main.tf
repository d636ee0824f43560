ephemeral "random_password" "draft" {
  length  = 12
  special = false
}

ephemeral "local_command" "judge" {
  command = ["sh", "-c", "cat >/dev/null; echo strong"]
  input   = ephemeral.random_password.draft.result
}

resource "terraform_data" "account" {
  input = "ann"

  lifecycle {
    postcondition {
      condition     = trimspace(ephemeral.local_command.judge.stdout) == "strong"
      error_message = "No password for ${self.input} is good enough."
    }
  }
}

output "verdict" {
  value = ephemeralasnull(ephemeral.local_command.judge.stdout) == null ? "not kept" : "kept"
}
