A = "x"
B = 1
