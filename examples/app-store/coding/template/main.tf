# A development platform: network -> cluster -> database -> application.

variable "endpoint" { type = string }
variable "zone" { type = string }
variable "cidr" { type = string }
variable "open_port" { type = number }
variable "charge_type" { type = string }
variable "cpu" { type = number }
variable "memory" { type = number }
variable "instance_type" { type = string }
variable "nodes" { type = number }
variable "domain" { type = string }
variable "bucket" { type = string }
variable "database_password" {
  type      = string
  sensitive = true
}
variable "tags" {
  type    = map(string)
  default = {}
}

# Set by the platform.
variable "stackwright_app_id" { type = string }
variable "stackwright_app_tags" { type = map(string) }

provider "sandbox" {
  endpoint = var.endpoint
}

locals {
  # Names in this cloud have no slash.
  id   = replace(var.stackwright_app_id, "/", "-")
  tags = merge(var.tags, var.stackwright_app_tags, { charged = var.charge_type })
}

resource "sandbox_network" "main" {
  name = local.id
  cidr = var.cidr
  tags = local.tags
}

resource "sandbox_subnet" "main" {
  network_id = sandbox_network.main.id
  cidr       = cidrsubnet(var.cidr, 8, 0)
  zone       = var.zone
}

# In the same network, and so in the same region.
resource "sandbox_security_group" "main" {
  network_id = sandbox_network.main.id
  name       = "web"

  rule {
    from_port = var.open_port
    to_port   = var.open_port
    cidr      = "0.0.0.0/0"
  }
}

resource "sandbox_cluster" "main" {
  name       = local.id
  version    = "1.32"
  node_type  = "s1.large"
  subnet_ids = [sandbox_subnet.main.id]
  tags       = local.tags
}

resource "sandbox_database" "main" {
  name          = local.id
  engine        = "postgres"
  instance_type = var.instance_type
  username      = "coding"
  password      = var.database_password
  subnet_ids    = [sandbox_subnet.main.id]
  tags          = merge(local.tags, { cluster = sandbox_cluster.main.id })
}

resource "sandbox_bucket" "main" {
  name = var.bucket
  tags = local.tags
}

resource "sandbox_instance" "app" {
  count              = var.nodes
  name               = "${local.id}-${count.index}"
  instance_type      = var.instance_type
  image              = "coding-1"
  subnet_id          = sandbox_subnet.main.id
  security_group_ids = [sandbox_security_group.main.id]
  tags = merge(local.tags, {
    database = sandbox_database.main.host
    bucket   = sandbox_bucket.main.name
  })
}

resource "sandbox_dns_record" "app" {
  name   = var.domain
  type   = "A"
  values = sandbox_instance.app[*].public_ip
}

output "address" {
  value = "https://${sandbox_dns_record.app.name}:${var.open_port}"
}

output "machines" {
  value = sandbox_instance.app[*].public_ip
}

output "nodes" {
  value = [for one in sandbox_instance.app : { name = one.name, type = one.instance_type, address = one.public_ip }]
}
