a = b = 1
c, d = 1, 2
e = f(1)
g = {"x": y}
h = f"{i}"
j: int
k = --1
if True:
    l = 1
for m in []:
    n = 1
def o():
    p = 1
q += 1
r.s = 1
t[0] = 1
u = [*v]
w = {**x}
self.y = 1
