# A shop: network, machines and what is told about them.
terraform {
  required_version = ">= 1.5"
  required_providers {
    acme = {
      source  = "acme/acme"
      version = "~> 2.0"
    }
  }
}

variable "zones" {
  type        = map(object({ cidr = string, size = optional(number, 2) }))
  description = "Where to put \"things\"; größer ist besser." // a comment
  default = {
    "gz-1" = { cidr = "10.0.1.0/24" }
    gz-2   = { cidr = "10.0.2.0/24", size : 4 }
  }

  validation {
    condition     = length(var.zones) > 0 && alltrue([for z in var.zones : can(cidrhost(z.cidr, 0))])
    error_message = "Give at least one zone."
  }
}

locals {
  name   = "shop-${terraform.workspace}"
  ports  = [80, 443, 8080 + 1]
  by_az  = { for key, zone in var.zones : key => upper(zone.cidr)... if zone.size > 1 }
  chosen = var.name != null ? var.name : "${local.name}-default" /* why not */
  first  = acme_vpc.main[0].subnets.*.id[0]
  all    = acme_vpc.main[*].subnets[count.index].tags["Name"]
  negate = -local.a + !true
}

resource "acme_machine" "web" {
  for_each = var.zones

  name   = format("%s-%s", local.name, each.key)
  labels = merge(local.labels, {
    role = "web"
    (each.key) = "yes"
  })

  script = <<-EOT
    #!/bin/sh
    %{ for port in local.ports ~}
    open ${port} # $${HOME}
    %{ endfor ~}
      indented "${join(",", [for p in local.ports : "p${p}"])}"
  EOT

  disk { size = 10 }

  dynamic "rule" {
    for_each = local.ports
    content {
      port = rule.value
    }
  }

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [tags["x"], script]
  }
}

module "net" {
  source = "./net"
  providers = {
    acme.east = acme.west
  }
}

output "motd" {
  value = "%{ if local.chosen == "x" }yes%{ else }no ${~ " trimmed " ~} %{ endif }"
}
