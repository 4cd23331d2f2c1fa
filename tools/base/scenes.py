"""Little captioned scenes of Noto Color Emoji glyphs on drawn backgrounds.

Everything is derived from a `random.Random`. The words and their glyphs stand in glyphs.tsv.
"""
import csv
import functools
import os
import pathlib
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFont

HERE = pathlib.Path(__file__).parent
FONT = os.environ.get("NOTO_COLOR_EMOJI", "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
STRIKE = 109  # The one size of the bitmap font.
SIDE = 96  # Glyphs are kept as squares of this many pixels.

COLOURS = {
    "white": (250, 250, 250), "red": (214, 50, 50), "orange": (243, 146, 46),
    "yellow": (250, 218, 80), "green": (88, 178, 84), "blue": (70, 130, 220),
    "purple": (140, 86, 190), "pink": (247, 168, 196), "gray": (150, 150, 154),
    "black": (28, 28, 32),
}
SCENES = {
    "grass": "on grass", "sea": "in the sea", "desert": "in the desert", "snow": "in the snow",
    "night": "at night", "sunset": "at sunset", "forest": "in the forest", "space": "in space",
}
KINDS = list(SCENES) + list(COLOURS)


def _table():
    """Word -> (glyph, generic word, use), from glyphs.tsv."""
    with open(HERE / "glyphs.tsv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    # U+FE0F asks for the coloured form of a character that also has a black one.
    suffix = {"U+2764": "\ufe0f"}
    return {
        row["word"]: (
            chr(int(row["code_point"][2:], 16)) + suffix.get(row["code_point"], ""),
            row["generic_word"], row["use"])
        for row in rows
    }


GLYPHS = _table()
OBJECTS = [word for word, row in GLYPHS.items() if row[2] == "base"]
RESERVE = [word for word, row in GLYPHS.items() if row[2] == "reserve"]
HELD_OUT = [word for word, row in GLYPHS.items() if row[2] == "held out"]


@functools.lru_cache(None)
def _font():
    return ImageFont.truetype(FONT, STRIKE)


@functools.lru_cache(None)
def glyph(word):
    """The glyph of a word, cut to its square and scaled to 96 pixels."""
    image = Image.new("RGBA", (160, 160), (0, 0, 0, 0))
    ImageDraw.Draw(image).text((10, 14), GLYPHS[word][0], font=_font(), embedded_color=True)
    box = image.getbbox()
    if box is None:
        raise SystemExit(f"{FONT} has no glyph for '{word}'")
    image = image.crop(box)
    side = max(image.size)
    square = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square.resize((SIDE, SIDE), Image.LANCZOS)


# Backgrounds: float arrays [height, width, 3] in 0...255, drawn in place.


def gradient(width, height, top, bottom):
    t = np.linspace(0, 1, height)[:, None, None]
    row = np.array(top) * (1 - t) + np.array(bottom) * t
    return np.broadcast_to(row, (height, width, 3)).copy()


def hills(a, r, y0, amplitude, colour, waves=2):
    height, width, _ = a.shape
    x = np.arange(width)
    phase = r.uniform(0, 6.28)
    y = y0 + amplitude * np.sin(x / width * 6.28 * waves * r.uniform(0.5, 1.0) + phase)
    m = np.clip(np.arange(height)[:, None] - y[None, :] + 0.5, 0, 1)[..., None]
    a[:] = a * (1 - m) + np.array(colour) * m


def wave(a, r, y0, colour):
    height, width, _ = a.shape
    x = np.arange(width)
    y = y0 + 1.6 * np.sin(x / width * 6.28 * (width / 20) + r.uniform(0, 6.28))
    m = np.clip(1.1 - np.abs(np.arange(height)[:, None] - y[None, :]), 0, 1)[..., None] * 0.55
    a[:] = a * (1 - m) + np.array(colour) * m


def dots(a, r, count, colour, radius, lowest=1.0):
    height, width, _ = a.shape
    yy, xx = np.mgrid[0:height, 0:width]
    for _ in range(count):
        x, y = r.uniform(0, width), r.uniform(0, height * lowest)
        ys = slice(max(0, int(y) - 2), int(y) + 3)
        xs = slice(max(0, int(x) - 2), int(x) + 3)
        m = np.clip(radius + 0.5 - np.hypot(yy[ys, xs] - y, xx[ys, xs] - x), 0, 1)[..., None]
        m = m * r.uniform(0.6, 1)
        a[ys, xs] = a[ys, xs] * (1 - m) + np.array(colour) * m


def background(kind, width, height, r):
    """A scene or a plain colour as an RGB picture."""

    def near(colour, spread=8):
        return [min(255, max(0, v + r.uniform(-spread, spread))) for v in colour]

    w, h = width, height
    if kind in COLOURS:
        a = np.broadcast_to(np.array(near(COLOURS[kind], 5)), (h, w, 3)).copy()
    elif kind == "grass":
        a = gradient(w, h, near((130, 200, 250)), near((215, 238, 252)))
        hills(a, r, h * r.uniform(0.52, 0.62), 3, near((130, 200, 90)))
        hills(a, r, h * r.uniform(0.7, 0.78), 2.5, near((92, 170, 66)))
    elif kind == "sea":
        a = gradient(w, h, near((60, 160, 225)), near((10, 70, 150)))
        for k in range(3):
            wave(a, r, h * (0.2 + 0.28 * k + r.uniform(-0.05, 0.05)), (150, 210, 245))
    elif kind == "desert":
        a = gradient(w, h, near((250, 225, 170)), near((252, 240, 205)))
        hills(a, r, h * r.uniform(0.5, 0.6), 5, near((230, 185, 110)), 1.5)
        hills(a, r, h * r.uniform(0.7, 0.8), 4, near((212, 160, 84)), 1.5)
    elif kind == "snow":
        a = gradient(w, h, near((165, 195, 225)), near((205, 222, 240)))
        hills(a, r, h * r.uniform(0.6, 0.7), 3, (244, 248, 252))
        dots(a, r, int(w * h / 190), (255, 255, 255), 1.3)
    elif kind == "night":
        a = gradient(w, h, near((14, 18, 52)), near((44, 52, 110)))
        dots(a, r, int(w * h * 0.6 / 220), (255, 245, 190), 0.9, lowest=0.6)
        hills(a, r, h * r.uniform(0.72, 0.8), 3, near((18, 36, 36), 4))
    elif kind == "sunset":
        a = gradient(w, h, near((110, 60, 140)), near((255, 150, 70)))
        hills(a, r, h * r.uniform(0.74, 0.82), 3, near((80, 40, 60), 5))
    elif kind == "forest":
        a = gradient(w, h, near((60, 110, 70)), near((40, 80, 50)))
        trunks = max(4, w // 12)
        for i in range(trunks):
            x = int((i + r.uniform(0.2, 0.8)) * w / trunks)
            thick = r.choice([2, 3, 4])
            a[: int(h * 0.8), max(0, x - thick // 2) : x + thick - thick // 2] = near(
                (86, 60, 40), 6)
        hills(a, r, h * 0.78, 2, near((48, 96, 44)))
    else:
        a = gradient(w, h, near((8, 6, 20), 3), near((26, 12, 48), 4))
        dots(a, r, int(w * h / 130), (230, 230, 255), 0.9)
    return Image.fromarray(np.clip(a, 0, 255).astype(np.uint8))


def paste(picture, word, x, y, size, turn=0.0):
    """Puts a glyph's centre at a place; its opacity in the picture, 0...1."""
    g = glyph(word)
    if turn:
        g = g.rotate(turn, Image.BICUBIC, expand=True)
        size = size * g.width / SIDE
    side = max(4, int(round(size)))
    g = g.resize((side, side), Image.LANCZOS)
    place = (int(round(x - side / 2)), int(round(y - side / 2)))
    picture.paste(g, place, g)
    mask = Image.new("L", picture.size, 0)
    mask.paste(g.split()[3], place)
    return np.asarray(mask, np.float32) / 255


def article(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def where(kind):
    return SCENES.get(kind) or f"on {article(kind)} background"


def inside(x, size, extent):
    """The nearest centre at which a glyph stays in the frame."""
    return min(extent - size / 2, max(size / 2, x))


def sample(r, width, height):
    """A picture with its caption."""
    kind = r.choice(list(SCENES)) if r.random() < 0.62 else r.choice(list(COLOURS))
    picture = background(kind, width, height, r)
    u = r.random()
    is_wide = width > height
    count = 0 if u < 0.03 else 1 if u < (0.30 if is_wide else 0.42) else 2
    words = r.sample(OBJECTS, count)

    def name(word):
        return GLYPHS[word][1] if r.random() < 0.03 else word

    tail = ", " + where(kind) if r.random() < 0.93 else ""
    if count == 0:
        caption = kind if kind in SCENES else f"{article(kind)} background"
    elif count == 1:
        caption = one(picture, words[0], name(words[0]), r) + tail
    else:
        caption = two(picture, words, [article(name(word)) for word in words], r) + tail
    if r.random() < 0.12:
        caption = r.choice(["a picture of ", "photo of "]) + caption
    return picture, caption


def one(picture, word, name, r):
    """Draws an object; what a caption says of it."""
    width, height = picture.size
    is_wide = width > height
    size = r.uniform(26, 52)
    x = r.uniform(size / 2, width - size / 2)
    y = inside(height * 0.54 + r.gauss(0, 5), size, height)
    if not is_wide and r.random() < 0.5:
        x = inside(width / 2 + r.gauss(0, 2.5), size, width)
    side = (x - width / 2) / width
    place = ""
    if r.random() < 0.75:
        if abs(side) > 0.09:
            place = " on the left" if side < 0 else " on the right"
        elif abs(side) < 0.05 and r.random() < 0.4:
            place = " in the middle"
    if size > 45 and r.random() < 0.4:
        name = "big " + name
    if size < 32 and r.random() < 0.4:
        name = "small " + name
    paste(picture, word, x, y, size, r.uniform(-7, 7) if r.random() < 0.3 else 0)
    return article(name) + place


def two(picture, words, names, r):
    """Draws two objects side by side; what a caption says of them."""
    width, height = picture.size
    for i, word in enumerate(words):
        size = r.uniform(30, 44) if width > height else r.uniform(25, 33)
        x = inside(width * (i + 0.5) / 2 + r.gauss(0, 1.5), size, width)
        y = inside(height * 0.55 + r.gauss(0, 5), size, height)
        paste(picture, word, x, y, size, r.uniform(-7, 7) if r.random() < 0.2 else 0)
    v = r.random()
    # Always in reading order: two orders at once are learnt much more slowly than one.
    if v < 0.82:
        return f"{names[0]} on the left and {names[1]} on the right"
    if v < 0.99:
        return names[0] + r.choice([" and ", " with "]) + names[1]
    return "two things"
