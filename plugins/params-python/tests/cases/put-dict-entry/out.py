INT=5
EXP = 1e-3
HEX = 0x_ff
d = {'a': 9, 'b': {'c': "new", 'e': "x"}}
long = {
    'x': 2,  # first
    'y': [1, 2],
}
lst = [0, [1, (2, 3)]]
empty = {}
