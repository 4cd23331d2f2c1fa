"""Renders captioned pictures for `mosc pretrain`: OUT/NNNNNN.png, OUT/NNNNNN.txt and OUT/NNNNNN.json.

    python tools/base/render.py OUT --square 16000 --wide 8000 --seed 2025 [--half HALF]
    python tools/base/render.py OUT --crops 24000 --every-thing --seed 7

Squares have 128x128 pixels, wide pictures 192x128. The JSON file says which phrase of the caption is about
which box. With --half, HALF gets the same at half of the size. Crops are squares of 64x64 pixels of such pictures, for the autoencoder. The same arguments give
the same files, on as many processes as there are.
"""
import argparse
import json
import multiprocessing
import pathlib
import random

from PIL import Image

import scenes

SIDE = 128
CROP = 64


def is_allowed(words):
    """One pair in eight is never drawn, so that pictures of it are of something never seen."""
    return len(words) < 2 or not is_held_out(*words)


def is_held_out(a, b):
    return (scenes.OBJECTS.index(a) + 3 * scenes.OBJECTS.index(b)) % 8 == 0


def draw(job):
    out, half, index, kind, seed, every = job
    r = random.Random(f"{seed} {index}")
    width = SIDE * 3 // 2 if kind == "wide" else SIDE
    objects = None
    if every:
        objects = scenes.others() if r.random() < 0.6 else scenes.OBJECTS + scenes.RESERVE
    scene = scenes.sample(r, width, SIDE, objects, (lambda words: True) if every else is_allowed)
    picture = scene.picture
    if kind == "crop":
        x, y = (r.randrange(extent - CROP + 1) for extent in picture.size)
        picture = picture.crop((x, y, x + CROP, y + CROP))
    sizes = [(out, picture)]
    if half:
        sizes.append((half, picture.resize((picture.width // 2, picture.height // 2), Image.LANCZOS)))
    for folder, sized in sizes:
        sized.save(folder / f"{index:06d}.png", compress_level=1)
        (folder / f"{index:06d}.txt").write_text(scene.caption + "\n", encoding="utf-8")
        if kind != "crop":
            objects = [
                {"phrase": phrase, "box": box, "prompts": scenes.prompts(phrase, scene.where)}
                for phrase, box in scene.objects]
            layout = {"objects": objects, "scene": scene.where}
            (folder / f"{index:06d}.json").write_text(json.dumps(layout) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--square", type=int, default=0)
    parser.add_argument("--wide", type=int, default=0)
    parser.add_argument("--crops", type=int, default=0)
    parser.add_argument("--seed", type=int, default=2025)
    parser.add_argument("--every-thing", action="store_true", help="draw the reserve and what has no word, too: for the autoencoder")
    parser.add_argument("--half", type=pathlib.Path, help="a folder for the same at half of the size")
    options = parser.parse_args()
    for folder in filter(None, (options.out, options.half)):
        folder.mkdir(parents=True, exist_ok=True)
    kinds = ["square"] * options.square + ["wide"] * options.wide + ["crop"] * options.crops
    jobs = [
        (options.out, options.half, index, kind, options.seed, options.every_thing)
        for index, kind in enumerate(kinds)]
    with multiprocessing.Pool() as pool:
        for _ in pool.imap_unordered(draw, jobs, 64):
            pass
    print(f"{len(kinds)} pictures in {options.out}")


if __name__ == "__main__":
    main()
