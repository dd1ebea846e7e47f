INT=6
EXP = 0.002
HEX = 7
d = {'a': 1, 'b': {'c': 2, 'e': "x"}}
long = {
    'x': 1,  # first
    'y': [1, 2],
}
lst = [0, [1, (2, 3)]]
empty = {}
