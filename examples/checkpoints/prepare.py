"""Draws points of two kinds. Three of their coordinates tell the kinds apart, the others only mislead."""

import argparse
import json
import random

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int)
chance = random.Random(parser.parse_args().seed)


def point(kind):
    centers = 3 * [kind - 0.5] + 17 * [0]
    return {"kind": kind, "place": [round(chance.gauss(center, 1), 4) for center in centers]}


with open("points.json", "w") as file:
    json.dump({name: [point(index % 2) for index in range(count)] for name, count in
               {"train": 40, "validate": 100, "test": 100}.items()}, file)
