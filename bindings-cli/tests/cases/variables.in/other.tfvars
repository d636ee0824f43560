d = "file"
list = [1, 2, 3]
