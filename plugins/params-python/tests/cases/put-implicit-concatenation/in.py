A = ('one '
     'two')  # both
B = 1
