# A guestbook on this machine: a data directory, a generated password, a rendered configuration, free ports, replicas
# behind a front, and an address that answers.

variable "title" {
  description = "What stands at the top of the page."
  type        = string
  default     = "Guestbook"
}

variable "greeting" {
  description = "The line below the title."
  type        = string
  default     = "Say hello. Everybody can read it."
}

variable "replica_count" {
  description = "How many replicas serve pages."
  type        = number
  default     = 2

  validation {
    condition     = var.replica_count >= 1 && var.replica_count <= 8
    error_message = "Between 1 and 8 replicas run well on one machine."
  }
}

variable "program" {
  description = "The guestbook program; `cargo build` makes it."
  type        = string
}

locals {
  home = "${path.cwd}/.guestbook"
}

# Everything that the application writes is below this directory, and goes with it.
resource "local_directory" "home" {
  path           = local.home
  mode           = "0700"
  delete_content = true
}

resource "local_directory" "data" {
  path           = "${local_directory.home.path}/data"
  mode           = "0700"
  delete_content = true
}

resource "random_password" "admin" {
  length      = 20
  min_numeric = 2
  special     = false
}

resource "random_port" "front" {}

resource "random_port" "replica" {
  count = var.replica_count
}

resource "local_file" "replica" {
  path = "${local_directory.home.path}/replica.json"
  mode = "0600"
  content = jsonencode({
    title          = var.title
    greeting       = var.greeting
    data_directory = local_directory.data.path
    admin_password = random_password.admin.result
  })
}

resource "local_process" "replica" {
  count = var.replica_count

  command = [
    var.program, "replica",
    "--config", local_file.replica.path,
    "--port", tostring(random_port.replica[count.index].port),
  ]
  log_file = "${local_directory.home.path}/replica-${count.index}.log"
  triggers = { config = local_file.replica.checksum }

  ready {
    http = "http://127.0.0.1:${random_port.replica[count.index].port}/healthz"
  }
}

resource "local_file" "front" {
  path = "${local_directory.home.path}/front.json"
  content = jsonencode({
    replicas = [for port in random_port.replica : "http://127.0.0.1:${port.port}"]
  })
}

resource "local_process" "front" {
  command = [
    var.program, "front",
    "--config", local_file.front.path,
    "--port", tostring(random_port.front.port),
  ]
  log_file = "${local_directory.home.path}/front.log"
  triggers = { config = local_file.front.checksum }

  # The front answers only once a replica does.
  ready {
    http = "http://127.0.0.1:${random_port.front.port}/healthz"
  }
  depends_on = [local_process.replica]
}

output "url" {
  description = "Where the guestbook answers."
  value       = "http://127.0.0.1:${random_port.front.port}/"
  depends_on  = [local_process.front]
}

output "admin_password" {
  description = "Clears the book: curl -d password=… URL/clear"
  value       = random_password.admin.result
  sensitive   = true
}
