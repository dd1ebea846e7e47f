"""Logistic regression by gradient descent with momentum, which goes on from its own model."""

import argparse
import json
import os
import time
from math import exp, log
from pathlib import Path

MODEL = Path("model.json")


def checkpoint():
    """Registers what is written now as a checkpoint, and waits until it is safe. Without dewar it does nothing."""
    if os.environ.get("DVC_CHECKPOINT"):
        signal = Path(os.environ["DVC_ROOT"], ".dvc", "tmp", "DVC_CHECKPOINT")
        signal.touch()
        while signal.exists():
            time.sleep(0.001)


def probability(weights, place):
    return 1 / (1 + exp(-sum(weight * x for weight, x in zip(weights, place))))


def step(model, points, lr, momentum):
    """Goes down the gradient of the loss once."""
    errors = [probability(model["weights"], point["place"]) - point["kind"] for point in points]
    for index, speed in enumerate(model["speeds"]):
        slope = sum(error * point["place"][index] for error, point in zip(errors, points)) / len(points)
        model["speeds"][index] = momentum * speed - lr * slope
        model["weights"][index] += model["speeds"][index]
    model["epoch"] += 1


def measure(model, points):
    chances = [probability(model["weights"], point["place"]) for point in points]
    right = [chance if point["kind"] else 1 - chance for chance, point in zip(chances, points)]
    return {
        "epoch": model["epoch"],
        "loss": round(-sum(map(log, right)) / len(right), 4),
        "accuracy": sum(chance > 0.5 for chance in right) / len(right),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--momentum", type=float)
    options = parser.parse_args()

    points = json.loads(Path("points.json").read_text())
    size = len(points["train"][0]["place"])
    model = {"epoch": 0, "weights": size * [0.0], "speeds": size * [0.0]}
    if MODEL.exists():
        # All that the training goes on from is in it: a model without its speeds and its epoch would go another way.
        model = json.loads(MODEL.read_text())
    while model["epoch"] < options.epochs:
        step(model, points["train"], options.lr, options.momentum)
        metrics = measure(model, points["validate"])
        MODEL.write_text(json.dumps(model))
        Path("metrics.json").write_text(json.dumps(metrics))
        print(metrics, flush=True)
        checkpoint()
        # As if an epoch took its time.
        time.sleep(float(os.environ.get("EPOCH_SECONDS", 0)))


if __name__ == "__main__":
    main()
