"""Remakes Tests/Goldens/pillow: small picture files, and the bytes that Pillow makes of them.

    python tools/reference/pictures.py FOLDER
"""

import hashlib
import json
import pathlib
import sys

import numpy as np
from PIL import Image

folder = pathlib.Path(sys.argv[1])
random = np.random.RandomState(5)


def sha256(image):
    return hashlib.sha256(image.tobytes()).hexdigest()


def picture(w, h):
    y, x = np.mgrid[0:h, 0:w]
    ramps = [x * 255 // max(1, w - 1), y * 255 // max(1, h - 1), 127 + 127 * np.sin(x * y / 40.0)]
    a = np.stack(ramps, -1)
    a[(x - w // 2) ** 2 + (y - h // 2) ** 2 < (min(w, h) // 4) ** 2] = [250, 20, 5]
    return np.clip(a + random.randint(-20, 20, a.shape), 0, 255).astype(np.uint8)


source = Image.fromarray(picture(37, 29))
gray = source.convert("L")
source.save(folder / "source.png")
cases = []
for name in ["nearest", "bilinear", "bicubic", "lanczos"]:
    for size in [(11, 8), (64, 50), (37, 10), (90, 29), (1, 1), (20, 61)]:
        for mode, image in [("RGB", source), ("L", gray)]:
            result = image.resize(size, Image.Resampling[name.upper()])
            cases.append({
                "filter": name, "width": size[0], "height": size[1], "mode": mode,
                "sha256": sha256(result), "head": list(result.tobytes()[:12])})
(folder / "resize.json").write_text(
    json.dumps({"gray": sha256(gray), "cases": cases}, indent=0))

expected = {}
pixels = picture(9, 7)
small = Image.fromarray(pixels)
small.convert("L").save(folder / "gray.png")
small.save(folder / "rgb.png")
alpha = random.randint(0, 255, (7, 9)).astype(np.uint8)
Image.fromarray(np.dstack([pixels, alpha])).save(folder / "rgba.png")
small.quantize(7).save(folder / "palette.png")
Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257).save(folder / "gray16.png")
for name in ["gray", "rgb", "rgba", "palette"]:
    image = Image.open(folder / f"{name}.png").convert("RGBA" if name == "rgba" else "RGB")
    expected[f"{name}.png"] = sha256(image)
expected["gray16.png"] = hashlib.sha256(np.repeat(pixels[:, :, 0], 3).tobytes()).hexdigest()

large = Image.fromarray(picture(43, 31))
large.save(folder / "s420.jpg", subsampling=2, quality=80)
large.save(folder / "s444.jpg", subsampling=0, quality=95)
large.save(folder / "progressive.jpg", subsampling=1, quality=70, progressive=True)
large.convert("L").save(folder / "gray.jpg", quality=80)
large.convert("CMYK").save(folder / "cmyk.jpg", quality=80)
for name in ["s420", "s444", "progressive", "gray", "cmyk"]:
    expected[f"{name}.jpg"] = sha256(Image.open(folder / f"{name}.jpg").convert("RGB"))
large.save(folder / "lossy.webp", quality=80)
Image.fromarray(np.dstack([picture(21, 18), random.randint(0, 255, (18, 21)).astype(np.uint8)])).save(
    folder / "alpha.webp", lossless=True, exact=True)
exif = Image.Exif()
exif[0x0112] = 6
exif[0x0110] = "prompt:{}"
exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "a fox\nSteps: 2".encode("utf-16-be")
large.save(folder / "turned.webp", quality=80, exif=exif)
large.save(folder / "moving.webp", save_all=True, append_images=[large.rotate(90)], duration=50)
for name in ["lossy", "alpha"]:
    image = Image.open(folder / f"{name}.webp")
    expected[f"{name}.webp"] = sha256(image.convert("RGBA" if name == "alpha" else "RGB"))
(folder / "expected.json").write_text(json.dumps(expected, indent=0))
