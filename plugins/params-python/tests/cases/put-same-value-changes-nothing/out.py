INT=5
EXP = 1e-3
HEX = 0x_ff
d = {'a': 1, 'b': {'c': 2, 'e': "x"}}
long = {
    'x': 1,  # first
    'y': [1, 2],
}
lst = [0, [1, (2, 3)]]
empty = {}
