module "greeting" {
  source = "./vendor/greeting.tgz//modules/greeting"
  name   = "Ann"
}

output "greeting" {
  value = module.greeting.text
}
