class A:
    x = 1
    y: float = 2.0
    class B:
        z = [1]
    def __init__(self):
        self.x = 3
        self.w: int = 4
        local = 5
        other.v = 6
        if True:
            self.u = 7
    def f(self):
        self.t = 8
class C(A):
    pass
