A = [
    1,
    2,
]  # two
B = 1
print(A)
