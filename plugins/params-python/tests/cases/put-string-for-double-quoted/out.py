A = "y"
B = "z"
