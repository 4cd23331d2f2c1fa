"""Counts how often two taught things stand in their regions and nowhere else, and draws the best.

    tools/demo                                              # teaches and fuses, into out/demo
    python tools/base/apart.py MOSC out/demo [--seeds 16] [--clip FOLDER] [--sheet FILE.png]

MOSC is the program; the folder holds parrot.safetensors, santa.safetensors and fused.safetensors. Each picture, 192x128
pixels, is cut in halves. A half shows a thing if the judge (`mosc evaluate`) finds it nearer to "a THING, SCENE"
than to the same with the other thing, with what the two are most easily taken for, with each other held-out thing
and what that is taken for, and than to the empty scene. A picture is right if the left half shows the parrot and the
right half santa. What the judge finds in pictures of one thing alone is the most that can be hoped for.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import tempfile

import numpy as np
from PIL import Image

import scenes

THINGS = ("parrot", "santa")
SIZE = (192, 128)
BOXES = {"parrot": "0.05,0.1,0.45,1", "santa": "0.55,0.1,0.95,1"}
SIDES = {"parrot": "on the left", "santa": "on the right"}
SCENE, EMPTY = "on grass", "grass"
# What a half may be taken for.
OTHERS = ["bird", "clown", "guitar", "rocket", "teddy", "bear"]


def words(thing):
    return f"a <{thing}-1> <{thing}-2>"


def region(thing, lora=None):
    text = f"box={BOXES[thing]}; prompt={words(thing)} {SIDES[thing]}, {SCENE}"
    return ["--region", text + (f"; lora={lora}" if lora else "")]


def ways(folder):
    """The ways to draw both: title, options."""
    files = {thing: folder / f"{thing}.safetensors" for thing in THINGS}
    fused = ["--lora", folder / "fused.safetensors"]
    regions = [option for thing in THINGS for option in region(thing)]
    own = [option for thing in THINGS for option in region(thing, files[thing])]
    return [
        ("both files, one prompt", [option for thing in THINGS for option in ("--lora", files[thing])]),
        ("fused, one prompt", fused),
        ("fused, a region for each", fused + regions),
        ("not fused, a file in each region", own),
    ]


def draw(mosc, prompt, size, options, seeds, folder):
    """The pictures of some seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    listing = ",".join(map(str, seeds))
    command = [mosc, "sample", "-q", "-p", prompt, "-W", size[0], "-H", size[1], "--seed", listing,
               "--batch-size", min(8, len(seeds)), *options, "-o", folder / "%02d.png"]
    subprocess.run([*map(str, command)], check=True, stdout=subprocess.DEVNULL)
    return [Image.open(file).convert("RGB") for file in sorted(folder.glob("*.png"))]


def half(picture, side):
    """The left or right half as a square, its edges repeated above and beside."""
    width = SIZE[0] // 2
    part = np.asarray(picture)[:, side * width : (side + 1) * width]
    more = SIZE[1] - width
    return Image.fromarray(np.pad(part, ((0, 0), (more // 2, more - more // 2), (0, 0)), mode="edge"))


def seen(mosc, pictures, clip, folder):
    """Which of the things each picture shows; None for anything else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for index, picture in enumerate(pictures):
        for thing in THINGS:
            stem = folder / f"{index:03d}-{thing}"
            picture.save(f"{stem}.png")
            pathlib.Path(f"{stem}.txt").write_text(f"{scenes.article(thing)}, {SCENE}\n")
            wrong = {f"{stem.name}-{other}": f"{scenes.article(other)}, {SCENE}"
                     for other in [*THINGS, *OTHERS] if other != thing}
            wrong[f"{stem.name}-nothing"] = EMPTY
            pathlib.Path(f"{stem}.json").write_text(json.dumps({"wrong": wrong}))
    command = [mosc, "evaluate", "-q", "--pictures", folder, "--json", *(["--clip", clip] if clip else [])]
    answer = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout
    values = json.loads(answer)["evaluations"][0]["values"]
    result = []
    for index in range(len(pictures)):
        found = None
        for thing in THINGS:
            prefix = f"prefers.{index:03d}-{thing}-"
            own = [value["mean"] for name, value in values.items() if name.startswith(prefix)]
            if len(own) != len(OTHERS) + 2:
                raise SystemExit(f"{len(own)} answers about {prefix}, expected {len(OTHERS) + 2}")
            if min(own) == 1:
                found = thing
        result.append(found)
    return result


def sheet(rows, gap=4, columns=8):
    """The first pictures of each row."""
    width, height = SIZE
    columns = min(columns, len(rows[0]))
    result = Image.new("RGB", (columns * (width + gap) - gap, len(rows) * (height + gap) - gap), "white")
    for y, pictures in enumerate(rows):
        for x, picture in enumerate(pictures[:columns]):
            result.paste(picture, (x * (width + gap), y * (height + gap)))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mosc")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--clip", type=pathlib.Path, help="a judge (default: the one that ships)")
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the pictures")
    parser.add_argument("--sheet", type=pathlib.Path, help="a picture with a row for each way")
    options = parser.parse_args()
    seeds = list(range(1, options.seeds + 1))
    both = " and ".join(f"{words(thing)} {SIDES[thing]}" for thing in THINGS) + f", {SCENE}"
    rows = []
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        keep = options.keep or scratch / "pictures"
        print("| | parrot on the left | santa on the right | both | the wrong one in a half |")
        print("|---|---|---|---|---|")
        alone = []
        for thing in THINGS:
            lora = ["--lora", options.folder / f"{thing}.safetensors"]
            pictures = draw(options.mosc, f"{words(thing)}, {SCENE}", (128, 128), lora, seeds, keep / thing)
            alone.append(seen(options.mosc, pictures, options.clip, scratch / "seen").count(thing))
        print(f"| *each alone, 128x128* | *{alone[0]}* | *{alone[1]}* | | |", flush=True)
        for number, (title, more) in enumerate(ways(options.folder)):
            pictures = draw(options.mosc, both, SIZE, more, seeds, keep / str(number))
            halves = [half(picture, side) for picture in pictures for side in (0, 1)]
            found = seen(options.mosc, halves, options.clip, scratch / "seen")
            pairs = list(zip(found[0::2], found[1::2]))
            left = sum(a == THINGS[0] for a, _ in pairs)
            right = sum(b == THINGS[1] for _, b in pairs)
            whole = sum(pair == THINGS for pair in pairs)
            wrong = sum(a == THINGS[1] for a, _ in pairs) + sum(b == THINGS[0] for _, b in pairs)
            print(f"| {title} | {left} | {right} | {whole} | {wrong} |", flush=True)
            rows.append(pictures)
    if options.sheet:
        sheet(rows).save(options.sheet, quality=85)


if __name__ == "__main__":
    main()
