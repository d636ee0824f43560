resource "local_file" "pages" {
  for_each = { index = "a page" }
  path     = "../page.txt"
  content  = each.value
}

moved {
  from = local_file.page
  to   = local_file.pages["index"]
}

removed {
  from = local_file.old

  lifecycle {
    destroy = false
  }
}

resource "local_file" "note" {
  path    = "../note.txt"
  content = "a longer note"
}

import {
  to = local_file.note
  id = "../note.txt"
}
