INT=5
EXP = 1e-3
HEX = 0x_ff
d = {'a': 1, 'b': {'c': 2, 'e': "x", "new": 2}, "new": 1}
long = {
    'x': 1,  # first
    'y': [1, 2],
    "z": 3,
}
lst = [0, [1, (2, 3)]]
empty = {"a": "x"}
