from os import path
A = 1
