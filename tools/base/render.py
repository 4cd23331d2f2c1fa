"""Renders captioned pictures for `mosc pretrain`: OUT/NNNNNN.png with OUT/NNNNNN.txt.

    python tools/base/render.py OUT --square 16000 --wide 8000 --seed 2025

Squares are 64x64 pixels, wide pictures 96x64. The same arguments give the same files.
"""
import argparse
import pathlib
import random

import scenes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--square", type=int, default=16000)
    parser.add_argument("--wide", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=2025)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    r = random.Random(options.seed)
    sizes = [(64, 64)] * options.square + [(96, 64)] * options.wide
    for index, (width, height) in enumerate(sizes):
        picture, caption = scenes.sample(r, width, height)
        picture.save(options.out / f"{index:06d}.png", compress_level=1)
        (options.out / f"{index:06d}.txt").write_text(caption + "\n", encoding="utf-8")
    print(f"{len(sizes)} pictures in {options.out}")


if __name__ == "__main__":
    main()
