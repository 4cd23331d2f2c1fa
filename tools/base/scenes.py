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
SIDE = 128  # Glyphs are kept as squares of this many pixels.

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


# Blocks of Unicode that hold pictures of things.
BLOCKS = [(0x1F300, 0x1F5FF), (0x1F680, 0x1F6C5), (0x1F910, 0x1F9FF)]


@functools.lru_cache(None)
def _font():
    return ImageFont.truetype(FONT, STRIKE)


def drawn(text):
    """A character as the font draws it, without its margin; None if it draws nothing."""
    image = Image.new("RGBA", (160, 160), (0, 0, 0, 0))
    ImageDraw.Draw(image).text((10, 14), text, font=_font(), embedded_color=True)
    box = image.getbbox()
    return image.crop(box) if box else None


@functools.lru_cache(None)
def others():
    """Every coloured character of the blocks that is not in glyphs.tsv."""
    known = {row[0][0] for row in GLYPHS.values()}
    every = (chr(code) for first, last in BLOCKS for code in range(first, last + 1))

    def is_coloured(text):
        # Characters without a glyph are drawn as an outline without colour.
        image = drawn(text)
        return image and np.ptp(np.asarray(image)[..., :3].astype(int), axis=2).max() > 30

    return [text for text in every if text not in known and is_coloured(text)]


@functools.lru_cache(None)
def glyph(word):
    """The glyph of a word, cut to its square and scaled to SIDE pixels."""
    image = drawn(GLYPHS[word][0] if word in GLYPHS else word)
    if image is None:
        raise SystemExit(f"{FONT} has no glyph for '{word}'")
    side = max(image.size)
    square = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square.resize((SIDE, SIDE), Image.LANCZOS)


# Backgrounds: float arrays [height, width, 3] in 0...255, drawn in place. Lengths are given for pictures
# of 64 pixels height and grow with it.


def unit(a):
    return a.shape[0] / 64


def gradient(width, height, top, bottom):
    t = np.linspace(0, 1, height)[:, None, None]
    row = np.array(top) * (1 - t) + np.array(bottom) * t
    return np.broadcast_to(row, (height, width, 3)).copy()


def hills(a, r, y0, amplitude, colour, waves=2):
    height, width, _ = a.shape
    x = np.arange(width)
    phase = r.uniform(0, 6.28)
    y = y0 + amplitude * unit(a) * np.sin(x / width * 6.28 * waves * r.uniform(0.5, 1.0) + phase)
    m = np.clip(np.arange(height)[:, None] - y[None, :] + 0.5, 0, 1)[..., None]
    a[:] = a * (1 - m) + np.array(colour) * m


def wave(a, r, y0, colour):
    height, width, _ = a.shape
    x = np.arange(width)
    u = unit(a)
    y = y0 + 1.6 * u * np.sin(x / u * 6.28 / 20 + r.uniform(0, 6.28))
    m = np.clip(1.1 * u - np.abs(np.arange(height)[:, None] - y[None, :]), 0, 1)[..., None] * 0.55
    a[:] = a * (1 - m) + np.array(colour) * m


def dots(a, r, count, colour, radius, lowest=1.0):
    height, width, _ = a.shape
    yy, xx = np.mgrid[0:height, 0:width]
    radius *= unit(a)
    reach = int(radius + 2)
    for _ in range(count):
        x, y = r.uniform(0, width), r.uniform(0, height * lowest)
        ys = slice(max(0, int(y) - reach), int(y) + reach + 1)
        xs = slice(max(0, int(x) - reach), int(x) + reach + 1)
        m = np.clip(radius + 0.5 - np.hypot(yy[ys, xs] - y, xx[ys, xs] - x), 0, 1)[..., None]
        m = m * r.uniform(0.6, 1)
        a[ys, xs] = a[ys, xs] * (1 - m) + np.array(colour) * m


def background(kind, width, height, r):
    """A scene or a plain colour as an RGB picture."""

    def near(colour, spread=8):
        return [min(255, max(0, v + r.uniform(-spread, spread))) for v in colour]

    w, h = width, height
    scale = h / 64
    area = w * h / scale**2
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
        dots(a, r, int(area / 190), (255, 255, 255), 1.3)
    elif kind == "night":
        a = gradient(w, h, near((14, 18, 52)), near((44, 52, 110)))
        dots(a, r, int(area * 0.6 / 220), (255, 245, 190), 0.9, lowest=0.6)
        hills(a, r, h * r.uniform(0.72, 0.8), 3, near((18, 36, 36), 4))
    elif kind == "sunset":
        a = gradient(w, h, near((110, 60, 140)), near((255, 150, 70)))
        hills(a, r, h * r.uniform(0.74, 0.82), 3, near((80, 40, 60), 5))
    elif kind == "forest":
        a = gradient(w, h, near((60, 110, 70)), near((40, 80, 50)))
        trunks = max(4, int(w / scale) // 12)
        for i in range(trunks):
            x = int((i + r.uniform(0.2, 0.8)) * w / trunks)
            thick = int(r.choice([2, 3, 4]) * scale)
            a[: int(h * 0.8), max(0, x - thick // 2) : x + thick - thick // 2] = near(
                (86, 60, 40), 6)
        hills(a, r, h * 0.78, 2, near((48, 96, 44)))
    else:
        a = gradient(w, h, near((8, 6, 20), 3), near((26, 12, 48), 4))
        dots(a, r, int(area / 130), (230, 230, 255), 0.9)
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


class Scene:
    """A picture, what its caption says, and which part of the caption is about which part of the picture."""

    def __init__(self, picture):
        self.picture = picture
        self.caption = ""
        self.objects = []  # (phrase of the caption, box in shares of the picture)
        self.where = ""

    def add(self, phrase, opacity):
        ys, xs = np.nonzero(opacity > 0.5)
        height, width = opacity.shape
        box = (xs.min() / width, ys.min() / height, (xs.max() + 1) / width, (ys.max() + 1) / height)
        self.objects.append((phrase, [round(float(v), 4) for v in box]))


def sample(r, width, height, objects=None, is_allowed=lambda words: True):
    """A scene with its caption.

    is_allowed says whether things may be drawn beside each other.
    """
    kind = r.choice(list(SCENES)) if r.random() < 0.62 else r.choice(list(COLOURS))
    scene = Scene(background(kind, width, height, r))
    u = r.random()
    is_wide = width > height
    count = 0 if u < 0.03 else 1 if u < (0.30 if is_wide else 0.42) else 2
    words = r.sample(objects or OBJECTS, count)
    while not is_allowed(words):
        words = r.sample(objects or OBJECTS, count)

    def name(word):
        generic = GLYPHS[word][1] if word in GLYPHS else "thing"
        return generic if r.random() < 0.03 else word

    tail = ", " + where(kind) if r.random() < 0.93 else ""
    if count == 0:
        caption = kind if kind in SCENES else f"{article(kind)} background"
    elif count == 1:
        caption = one(scene, words[0], name(words[0]), r) + tail
    else:
        caption = two(scene, words, [article(name(word)) for word in words], r) + tail
    if r.random() < 0.12:
        caption = r.choice(["a picture of ", "photo of "]) + caption
    scene.caption = caption
    scene.where = where(kind)
    return scene


def prompts(phrase, place):
    """What could be asked for in a region around an object: with and without its side."""
    plain = phrase
    for side in (" on the left", " on the right", " in the middle"):
        plain = plain.removesuffix(side)
    return sorted({f"{text}, {place}" for text in (plain, phrase)})


def one(scene, word, name, r):
    """Draws an object; what a caption says of it."""
    width, height = scene.picture.size
    is_wide = width > height
    share = r.uniform(0.41, 0.81)
    size = height * share
    x = r.uniform(size / 2, width - size / 2)
    y = inside(height * (0.54 + r.gauss(0, 0.08)), size, height)
    if not is_wide and r.random() < 0.5:
        x = inside(width * (0.5 + r.gauss(0, 0.04)), size, width)
    side = (x - width / 2) / width
    place = ""
    if r.random() < 0.75:
        if abs(side) > 0.09:
            place = " on the left" if side < 0 else " on the right"
        elif abs(side) < 0.05 and r.random() < 0.4:
            place = " in the middle"
    if share > 0.7 and r.random() < 0.4:
        name = "big " + name
    if share < 0.5 and r.random() < 0.4:
        name = "small " + name
    opacity = paste(scene.picture, word, x, y, size, r.uniform(-7, 7) if r.random() < 0.3 else 0)
    scene.add(article(name) + place, opacity)
    return article(name) + place


def two(scene, words, names, r):
    """Draws two objects side by side; what a caption says of them."""
    width, height = scene.picture.size
    v = r.random()
    # Both orders say where; without places, the first is the left one.
    phrases = names
    if v < 0.82:
        phrases = [names[0] + " on the left", names[1] + " on the right"]
    for i, word in enumerate(words):
        size = height * (r.uniform(0.47, 0.69) if width > height else r.uniform(0.39, 0.52))
        x = inside(width * ((i + 0.5) / 2 + r.gauss(0, 0.02)), size, width)
        y = inside(height * (0.55 + r.gauss(0, 0.08)), size, height)
        opacity = paste(scene.picture, word, x, y, size, r.uniform(-7, 7) if r.random() < 0.2 else 0)
        scene.add(phrases[i], opacity)
    if v < 0.66:
        return f"{phrases[0]} and {phrases[1]}"
    if v < 0.82:
        return f"{phrases[1]} and {phrases[0]}"
    if v < 0.99:
        return names[0] + r.choice([" and ", " with "]) + names[1]
    scene.objects = []
    return "two things"
