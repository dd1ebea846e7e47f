# first
A = 1

def f():
    pass
