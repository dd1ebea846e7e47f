import math
A = math.pi * 2
