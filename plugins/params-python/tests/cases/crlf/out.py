# about everything
import os

LR = 0.2  # rate
COUNT: int = 3
FLAG = True
LST = [1, 2]
NEW = 1


class Train:
    seed = 1
    new = 2

    class Deep:
        z = 3


class Model:
    def __init__(self):
        self.width = 5
