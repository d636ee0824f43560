variable "greeting" {
  description = "What the file says."
  type        = string
  default     = "hello"
}

variable "token" {
  type      = string
  default   = "s3cr3t-canary"
  sensitive = true
}

resource "local_directory" "site" {
  path = "${path.cwd}/site"
}

resource "local_file" "page" {
  path    = "${local_directory.site.path}/page.txt"
  content = "${var.greeting}, world\n"
}

resource "terraform_data" "token" {
  input = var.token
}

output "page" {
  description = "Where the page is."
  value       = local_file.page.path
}

output "token" {
  value     = terraform_data.token.output
  sensitive = true
}
