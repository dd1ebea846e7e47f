"""About."""
import os
from sys import argv

A = 1


def f():
    pass
