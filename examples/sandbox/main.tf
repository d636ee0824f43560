# A shop in a pretend cloud. Start the cloud, then apply:
#
#   cargo run -p stackwright-provider-sandbox --bin stackwright-sandbox -- --memory /tmp/sandbox.jsonl
#   stackwright apply

provider "sandbox" {
  endpoint = "http://127.0.0.1:7070"
}

variable "replicas" {
  type    = number
  default = 2
}

variable "database_password" {
  type      = string
  sensitive = true
  default   = "only-for-the-sandbox"
}

locals {
  zones = ["sandbox-1a", "sandbox-1b"]
}

# The cheapest machine with two processors that is on offer in the first zone.
data "sandbox_instance_type" "web" {
  min_cpu = 2
  zone    = local.zones[0]
}

resource "sandbox_network" "shop" {
  name = "shop"
  cidr = "10.20.0.0/16"
}

resource "sandbox_subnet" "shop" {
  for_each   = toset(local.zones)
  network_id = sandbox_network.shop.id
  cidr       = cidrsubnet(sandbox_network.shop.cidr, 8, index(local.zones, each.key))
  zone       = each.key
}

resource "sandbox_security_group" "web" {
  network_id = sandbox_network.shop.id
  name       = "web"

  rule {
    from_port = 443
    to_port   = 443
    cidr      = "0.0.0.0/0"
  }
}

resource "sandbox_instance" "web" {
  count              = var.replicas
  name               = "web-${count.index}"
  instance_type      = data.sandbox_instance_type.web.name
  image              = "linux-12"
  subnet_id          = sandbox_subnet.shop[local.zones[count.index % length(local.zones)]].id
  security_group_ids = [sandbox_security_group.web.id]
  tags               = { app = "shop" }
}

resource "sandbox_volume" "uploads" {
  name        = "uploads"
  size_gb     = 50
  zone        = local.zones[0]
  instance_id = sandbox_instance.web[0].id
}

resource "sandbox_bucket" "assets" {
  name      = "shop-assets"
  versioned = true
}

resource "sandbox_database" "orders" {
  name          = "orders"
  engine        = "postgres"
  instance_type = "s1.medium"
  username      = "shop"
  password      = var.database_password
  subnet_ids    = [for subnet in sandbox_subnet.shop : subnet.id]
}

resource "sandbox_cluster" "jobs" {
  name       = "jobs"
  version    = "1.32"
  node_type  = "s1.large"
  subnet_ids = [for subnet in sandbox_subnet.shop : subnet.id]
}

resource "sandbox_dns_record" "www" {
  name   = "www.shop.example"
  type   = "A"
  values = sandbox_instance.web[*].public_ip
}

output "web" {
  value = {
    addresses = sandbox_instance.web[*].public_ip
    # Decimal text: what all machines cost in an hour is for a price list to say.
    hourly_price_each = data.sandbox_instance_type.web.hourly_price
  }
}

output "database" {
  value = "${sandbox_database.orders.host}:${sandbox_database.orders.port}"
}
