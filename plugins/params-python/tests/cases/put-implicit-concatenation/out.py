A = ('three')  # both
B = 1
