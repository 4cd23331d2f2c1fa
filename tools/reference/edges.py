"""Remakes Tests/Goldens/opencv: edges of a picture as OpenCV finds them, and the strokes of `scribble_xdog`.

    python tools/reference/edges.py Tests/Goldens/pillow/source.png FOLDER
"""

import json
import pathlib
import sys

import cv2
import numpy as np

source, folder = sys.argv[1], pathlib.Path(sys.argv[2])
small = cv2.cvtColor(cv2.imread(source), cv2.COLOR_BGR2RGB)
# Smooth gradients, corners, and the noise of the source.
large = cv2.resize(small, (96, 64), interpolation=cv2.INTER_CUBIC)
large[10:40, 20:60] = large[10:40, 20:60] // 3
cv2.imwrite(str(folder / "picture.png"), cv2.cvtColor(large, cv2.COLOR_RGB2BGR))
cases = []
for low, high in [(100, 200), (50, 60), (20, 400), (200, 200), (0, 1000)]:
    for gray in [False, True]:
        image = np.array(large[..., 1]) if gray else large
        edges = cv2.Canny(image, low, high)
        name = f"canny_{low}_{high}{'_gray' if gray else ''}.png"
        cv2.imwrite(str(folder / name), edges)
        cases.append({"file": name, "low": low, "high": high, "gray": gray, "edges": int((edges > 0).sum())})
picture = large.astype(np.float32)
fine = cv2.GaussianBlur(picture, (0, 0), 0.5)
coarse = cv2.GaussianBlur(picture, (0, 0), 5.0)
difference = (255 - np.min(coarse - fine, axis=2)).clip(0, 255).astype(np.uint8)
strokes = np.zeros_like(difference)
strokes[2 * (255 - difference.astype(int)) > 32] = 255
cv2.imwrite(str(folder / "scribble.png"), strokes)
(folder / "cases.json").write_text(json.dumps({"opencv": cv2.__version__, "canny": cases}, indent=0))
