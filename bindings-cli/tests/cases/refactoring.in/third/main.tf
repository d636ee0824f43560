resource "local_file" "page" {
  path    = "../page.txt"
  content = "a page"
}

moved {
  from = local_file.page
  to   = local_file.index
}

removed {
  from = local_file.old[0]
}

import {
  to = local_file.other
  id = "../other.txt"
}
