# about everything
import os

LR = {'a': 1, 'b c': ['x']}  # rate
COUNT: int = 3
FLAG = True
NAME = 'foo'
LST = [9, [True, None]]


class Train:
    seed = 1

    class Deep:
        z = 3


class Model:
    def __init__(self):
        self.width = 5
