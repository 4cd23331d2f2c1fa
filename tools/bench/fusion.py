"""How well each way of fusing keeps concepts, as a table in Markdown.

    python tools/bench/fusion.py MOSC WORK CONCEPT.safetensors CONCEPT.safetensors …

Every concept is drawn by its own file and by each fused file, from the same prompts and seeds
with the embedded model. For each concept stand: the distance, which is the root mean square
difference of the pixels (0…255) from the pictures of its own file; the margin, by which pictures are
nearer to the own file's picture than to the picture that any other concept's file draws from the same
seed and scene; and the share of pictures for which that margin is positive. Needs numpy and Pillow.
"""
import pathlib
import subprocess
import sys

import numpy as np
from PIL import Image

SCENES = ["on grass", "at night", "in the snow", "on a pink background"]
SEEDS = 4
WAYS = {
    "lbfgs": ["--solver", "lbfgs"], "ridge": ["--solver", "ridge"],
    "min-norm": ["--solver", "min-norm"], "weighted sum": ["--merge", "weighted"],
    "concat": ["--merge", "concat"], "svd": ["--merge", "svd"],
}


def main(mosc, work, files):
    work = pathlib.Path(work)
    work.mkdir(parents=True, exist_ok=True)

    def run(*arguments):
        subprocess.run([mosc, *map(str, arguments), "-q"], check=True)

    def draw(name, file, words):
        for number, scene in enumerate(SCENES):
            run("sample", "--lora", file, "-p", f"a {words}, {scene}", "--seed", f"1-{SEEDS}",
                "--cfg-scale", 4, "--steps", 20, "-o", work / f"{name}-{number}-%d.png")
        pictures = [
            np.asarray(Image.open(work / f"{name}-{number}-{seed}.png"), float)
            for number in range(len(SCENES)) for seed in range(1, SEEDS + 1)]
        return np.stack(pictures)

    def distances(a, b):
        return np.sqrt(((a - b) ** 2).mean((1, 2, 3)))

    names = [pathlib.Path(file).stem for file in files]
    words = {name: f"<{name}-1> <{name}-2>" for name in names}
    own = {name: draw(f"own-{name}", file, words[name]) for name, file in zip(names, files)}
    print("| | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(names))
    for way, options in WAYS.items():
        fused = work / f"{way.replace(' ', '-')}.safetensors"
        run("fuse", *files, *options, "-o", fused)
        cells = []
        for name in names:
            pictures = draw(f"{fused.stem}-{name}", fused, words[name])
            near = distances(pictures, own[name])
            others = [distances(pictures, own[other]) for other in names if other != name]
            margins = np.min(others, axis=0) - near
            cells.append(f"{near.mean():.1f}, {margins.mean():.1f}, {100 * (margins > 0).mean():.0f} %")
        print(f"| {way} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
