INT=5
EXP = 1e-3
HEX = 0x_ff
d = {'a': 1, 'b': {'c': 2, 'e': "x"}}
lst = [0, [1, (2, 3)]]
empty = {}
