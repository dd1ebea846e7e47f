A = 1
class A:
    x = 1
