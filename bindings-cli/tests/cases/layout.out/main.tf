variable "a" {
  default = 1
}
locals {
  x      = 1 # one
  longer = 2 # two
}
