"""About."""
import os
from sys import argv


def f():
    pass
