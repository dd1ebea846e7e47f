A = [
    1,
    2,
]  # two
print(A)
