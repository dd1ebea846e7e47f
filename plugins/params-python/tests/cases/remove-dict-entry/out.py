INT=5
EXP = 1e-3
HEX = 0x_ff
d = {'b': {'c': 2}}
long = {
    'y': [1, 2],
}
lst = [0, [1, (2, 3)]]
empty = {}
