"""Remakes Tests/Goldens/transforms: training pictures as Pillow, Python's random and torch make them.

    python tools/reference/transforms.py FOLDER

The steps are those of Mix-of-Show's transforms and of torchvision's RandomCrop and CenterCrop, written
down anew; the picture is noise from NumPy, so no picture file is needed.
"""

import hashlib
import json
import pathlib
import random
import sys

import numpy as np
import torch
from PIL import Image

BILINEAR, NEAREST = Image.Resampling.BILINEAR, Image.Resampling.NEAREST


def short_side(w, h, size, limit=None):
    short, long = min(w, h), max(w, h)
    a, b = size, int(size * long / short)
    if limit and b > limit:
        a, b = int(limit * a / b), limit
    return (a, b) if w <= h else (b, a)


def place(image, mask, size):
    w, h = image.size
    y = random.randint(0, size - h)
    x = random.randint(0, size - w)
    canvas = np.zeros((size, size, 3), np.uint8)
    canvas[y:y + h, x:x + w] = np.array(image)
    shares, cover = np.zeros((size, size)), np.zeros((size, size))
    cover[y:y + h, x:x + w] = 1
    if mask is not None:
        shares[y:y + h, x:x + w] = np.array(mask) / 255
    soft = lambda a: (a[3::8, 3::8] + a[3::8, 4::8] + a[4::8, 3::8] + a[4::8, 4::8]) / 4
    return canvas, (soft(shares), shares[::8, ::8]), (soft(cover), cover[::8, ::8])


def torch_crop(image, size):
    w, h = image.size
    if (w, h) == (size, size):
        return image
    y = torch.randint(0, h - size + 1, (1,)).item()
    x = torch.randint(0, w - size + 1, (1,)).item()
    return image.crop((x, y, x + size, y + size))


def place_object(image, mask, size, chance, scale):
    image = image.resize(short_side(*image.size, size), BILINEAR)
    mask = mask and mask.resize(image.size, BILINEAR)
    if random.random() < chance:
        if mask:
            x = random.randint(0, image.width - size)
            y = random.randint(0, image.height - size)
            image, mask = (i.crop((x, y, x + size, y + size)) for i in (image, mask))
        else:
            image = torch_crop(image, size)
    else:
        image = image.resize(short_side(*image.size, size - 1, size), BILINEAR)
        mask = mask and mask.resize(image.size, BILINEAR)
    ratio = random.uniform(*scale)
    shape = (int(image.width * ratio), int(image.height * ratio))
    return place(image.resize(shape, BILINEAR), mask and mask.resize(shape, NEAREST), size)


def noise(w, h):
    image = np.random.RandomState(1).rand(h, w, 3) * 255
    mask = np.random.RandomState(2).rand(h, w) * 255
    return (Image.fromarray(a.astype(np.uint8)) for a in (image, mask))


cases = []
for w, h in [(90, 130), (200, 110), (64, 64)]:
    for seed in range(4):
        for has_mask in [True, False]:
            image, mask = noise(w, h)
            random.seed(seed)
            torch.manual_seed(seed)
            canvas, masks, covers = place_object(
                image, mask if has_mask else None, 64, 0.5, (0.4, 1.0))
            caption = ["<a1> <a2>", "red hat", "snow", "night", "tree"]
            rest = caption[1:]
            random.shuffle(rest)
            cases.append({
                "w": w, "h": h, "seed": seed, "mask": has_mask,
                "sha256": hashlib.sha256(canvas.tobytes()).hexdigest(),
                "mask_sums": [float(a.sum()) for a in masks] if has_mask else None,
                "cover_sums": [float(a.sum()) for a in covers],
                "caption": ", ".join(caption[:1] + rest), "template": random.randrange(27),
                "next_random": random.random(), "next_torch": torch.rand(1).item()})
folder = pathlib.Path(sys.argv[1])
(folder / "place_object.json").write_text(json.dumps(cases, indent=0))
