# about everything
import os

LR = 1e999  # rate
COUNT: int = -1e999
FLAG = True
NAME = 'foo'
LST = [1, 2]


class Train:
    seed = 1

    class Deep:
        z = 3


class Model:
    def __init__(self):
        self.width = 5
