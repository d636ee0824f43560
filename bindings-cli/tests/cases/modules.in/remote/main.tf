module "net" {
  source  = "acme/net/cloud"
  version = "~> 1.0"
}
