# about everything
import os

LR = 0.1  # rate
COUNT: int = 3
FLAG = True
NAME = 'foo'
LST = [1, 2]


class Train:
    seed = 1
    new = 'x'

    class Deep:
        z = 3


class Model:
    def __init__(self):
        self.width = 5
