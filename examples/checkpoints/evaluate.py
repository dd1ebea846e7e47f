"""Asks the model about points that the training has not seen."""

import json
from pathlib import Path

from train import measure

model, points = (json.loads(Path(name).read_text()) for name in ["model.json", "points.json"])
Path("evaluation.json").write_text(json.dumps(measure(model, points["test"])))
