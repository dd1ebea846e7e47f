# first
def f():
    pass
