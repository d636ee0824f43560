module "net" {
  source = "./vendor/net.zip//modules/net"
}

module "git" {
  source = "git::./vendor/repository?ref=v1"
}
