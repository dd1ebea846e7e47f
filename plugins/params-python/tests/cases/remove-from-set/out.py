A = {2}
B = set()
