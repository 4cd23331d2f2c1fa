"""Counts how often `mosc sample` puts two objects on the sides that the prompt says.

    python tools/base/sides.py MOSC MODEL [--pairs 40] [--size 64x64]

A picture is compared with drawn ones of both orders, all blurred, and counts for the order of the
nearest. MOSC is the program; MODEL a model folder, or `-` for the embedded model.
"""
import argparse
import pathlib
import random
import tempfile

import numpy as np
from PIL import Image, ImageFilter

import grid
import scenes

DRAWN = 24  # Pictures of each order to compare with.


def blurred(picture):
    picture = picture.convert("RGB").filter(ImageFilter.GaussianBlur(2))
    return np.asarray(picture, np.float32)


def distance(picture, words, kind, size, r):
    """To the nearest of some pictures with the words in this order."""
    nearest = np.inf
    for _ in range(DRAWN):
        drawn = scenes.background(kind, *size, r)
        scenes.two(drawn, words, list(words), r)
        nearest = min(nearest, float(np.mean((blurred(drawn) - picture) ** 2)))
    return nearest


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mosc")
    parser.add_argument("model")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--size", default="64x64")
    options = parser.parse_args()
    size = tuple(map(int, options.size.split("x")))
    r = random.Random(1)
    cases, prompts = [], []
    for index in range(options.pairs):
        words, kind = r.sample(scenes.OBJECTS, 2), r.choice(scenes.KINDS)
        left, right = map(scenes.article, words)
        said = [f"{left} on the left and {right} on the right",
                f"{right} on the right and {left} on the left"][index % 4 == 3]
        cases.append((words, kind))
        prompts.append(f"{said}, {scenes.where(kind)}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        pictures = grid.draw(options.mosc, options.model, prompts, [7], options.size, folder)[0]
    obeyed = []
    for (words, kind), picture in zip(cases, pictures):
        own = blurred(picture)
        asked = distance(own, words, kind, size, random.Random(2))
        swapped = distance(own, words[::-1], kind, size, random.Random(2))
        obeyed.append(asked < swapped)
    first = [hit for index, hit in enumerate(obeyed) if index % 4 != 3]
    print(f"{sum(obeyed)} of {len(obeyed)} as the prompt says; "
          f"left named first: {sum(first)} of {len(first)}")


if __name__ == "__main__":
    main()
