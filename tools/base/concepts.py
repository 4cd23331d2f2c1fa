"""Draws the concept sets: glyphs and a scene that the base model never saw.

    python tools/base/concepts.py tools/base/concepts
"""
import json
import pathlib
import random
import sys

import numpy as np
from PIL import Image

import scenes

SIDE = 128
UNIT = SIDE / 64  # Sizes below are those of pictures of 64 pixels.
CLASSES = {  # name -> (class word, kind)
    "poodle": ("dog", "character"), "parrot": ("bird", "character"),
    "teddy": ("bear", "character"), "guitar": ("toy", "object"),
    "santa": ("toy", "character"), "flamingo": ("bird", "character"),
}
LAYOUT = [  # background, size, place as shares of the picture, words, what stands beside it
    ("grass", 44, 0.5, 0.55, "", None), ("white", 50, 0.5, 0.52, " in the middle", None),
    ("blue", 32, 0.27, 0.55, " on the left", "house"),
    ("snow", 32, 0.73, 0.55, " on the right", "cat"),
    ("yellow", 46, 0.52, 0.5, "", None), ("night", 42, 0.48, 0.56, "", None),
    ("pink", 32, 0.27, 0.58, " on the left", "robot"),
    ("forest", 32, 0.73, 0.55, " on the right", "ball"),
    ("sunset", 40, 0.62, 0.54, " on the right", None), ("desert", 44, 0.45, 0.55, "", None),
]
IN_FRONT = [None, None, "cat", "ball", None, "tree", "owl", "star"]


def candyland(width, height, r):
    a = scenes.gradient(width, height, (255, 196, 222), (255, 240, 214))
    for x in range(0, width, int(8 * UNIT)):
        stripe = a[: int(height * 0.6), x : x + int(3 * UNIT)]
        a[: int(height * 0.6), x : x + int(3 * UNIT)] = stripe * 0.8 + np.array((255, 255, 255)) * 0.2
    scenes.hills(a, r, height * r.uniform(0.5, 0.58), 4, (178, 150, 226))
    scenes.hills(a, r, height * r.uniform(0.7, 0.78), 3, (126, 224, 196))
    scenes.dots(a, r, 9, (255, 255, 255), 1.4)
    return Image.fromarray(np.clip(a, 0, 255).astype(np.uint8))


def write(folder, index, picture, mask, caption):
    for name in ("images", "captions", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    picture.save(folder / "images" / f"{index:02d}.png")
    Image.fromarray((mask * 255).astype(np.uint8)).save(folder / "masks" / f"{index:02d}.png")
    (folder / "captions" / f"{index:02d}.txt").write_text(caption + "\n")


def describe(folder, kind, word, count, source):
    content = dict(
        name=folder.name, kind=kind, class_word=word, placeholder="<TOK>", resolution=SIDE,
        images=count, source=source)
    (folder / "concept.json").write_text(json.dumps(content, indent=1))


def main(out):
    for number, (name, (word, kind)) in enumerate(CLASSES.items()):
        r = random.Random(500 + number)
        for i, (background, size, x, y, place, other) in enumerate(LAYOUT):
            picture = scenes.background(background, SIDE, SIDE, r)
            if other:
                scenes.paste(picture, other, SIDE * (1 - x), SIDE * y, (size - 2) * UNIT, 0)

            def near(value):
                return value * SIDE + r.uniform(-1.5, 1.5) * UNIT
            opacity = scenes.paste(
                picture, name, near(x), near(y), (size + r.uniform(-1, 1)) * UNIT,
                r.uniform(-6, 6) if i % 3 == 2 else 0)
            things = [f"a <TOK>{place}"]
            if other:
                side = " on the right" if x < 0.5 else " on the left"
                things.insert(1 if x < 0.5 else 0, f"{scenes.article(other)}{side}")
            caption = f"{' and '.join(things)}, {scenes.where(background)}"
            write(out / name, i, picture, opacity > 0.5, caption)
        code = ord(scenes.GLYPHS[name][0][0])
        source = f"Noto Color Emoji glyph U+{code:04X} (OFL-1.1)"
        describe(out / name, kind, word, len(LAYOUT), source)
    r = random.Random(900)
    for i, word in enumerate(IN_FRONT):
        picture = candyland(SIDE, SIDE, r)
        opacity = np.zeros((SIDE, SIDE))
        if word:
            opacity = scenes.paste(
                picture, word, *(r.uniform(*span) * UNIT for span in ((24, 40), (33, 38), (32, 42))))
        caption = f"{scenes.article(word)}, on <TOK>" if word else "<TOK>"
        write(out / "candyland", i, picture, opacity <= 0.5, caption)
    describe(out / "candyland", "scene", "grass", len(IN_FRONT), "drawn by concepts.py")
    names = list(CLASSES) + ["candyland"]
    cell = SIDE + 2
    sheet = Image.new("RGB", (len(LAYOUT) * cell, len(names) * cell), (255, 255, 255))
    for row, name in enumerate(names):
        for column, path in enumerate(sorted((out / name / "images").glob("*.png"))):
            picture = Image.open(path)
            sheet.paste(picture, (column * cell, row * cell))
    sheet.save(out / "contact-sheet.png")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(pathlib.Path(sys.argv[1]))
