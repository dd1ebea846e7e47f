A = 1
class A:
    x = 2
