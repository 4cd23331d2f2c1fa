"""Draws fixed prompts and seeds with `mosc sample` and puts the pictures on one sheet.

    python tools/base/grid.py MOSC MODEL OUT.png [--seeds 2]

MOSC is the program; MODEL a model folder, or `-` for the embedded model.
"""
import argparse
import pathlib
import subprocess
import tempfile

from PIL import Image

SQUARE = [
    "a cat, on grass", "a dog, on a blue background", "a rocket, in space", "a robot, in the snow",
    "an apple, on a white background", "a penguin, in the snow", "an octopus, in the sea",
    "a burger, on a yellow background", "a panda on the left and a ball on the right, on grass",
    "a pumpkin on the left and a ghost on the right, at night", "a car, in the desert",
    "a fox, in the forest", "a house, on grass", "a donut, on a purple background",
    "an owl, at sunset", "a red heart, on a pink background",
    "a cat on the left and a star on the right, on a green background",
    "a ball on the left and a panda on the right, on grass",
    "a turtle on the right, in the desert", "a boat on the left, in the sea",
    "a robot on the right and a tree on the left, in the snow", "a bear and a house, at sunset",
    "a strawberry on the left and a frog on the right, on an orange background",
    "a frog on the left and a strawberry on the right, on an orange background",
    "a rabbit and a cactus, in the desert", "a big banana, on a black background", "two stars, at night",
]
WIDE = [
    "a fox on the left and a bear on the right, on grass",
    "a robot on the left and a star on the right, in space",
    "a fish on the right and a boat on the left, in the sea", "a cat and a dog, in the snow",
    "a pig on the left and an owl on the right, in the forest",
    "an owl on the left and a pig on the right, in the forest",
]


def draw(mosc, model, prompts, seeds, size, folder):
    """The pictures by seed, in the order of the prompts; each prompt has a seed of its own."""
    listing = folder / "prompts.txt"
    listing.write_text("\n".join(prompts) + "\n")
    rows = []
    for seed in seeds:
        pattern = folder / f"{size}-{seed}-%03d.png"
        command = [mosc, "sample", "--from-file", listing, "--size", size, "--steps", "20",
                   "--cfg-scale", "4", "--seed", str(1000 * seed), "--sampling-method", "dpm++2m",
                   "--quiet", "--output", pattern]
        subprocess.run([*map(str, command), *(["-m", model] if model != "-" else [])], check=True)
        files = sorted(folder.glob(f"{size}-{seed}-*.png"))
        if len(files) != len(prompts):
            raise SystemExit(f"{len(files)} pictures for {len(prompts)} prompts")
        rows.append([Image.open(file).convert("RGB") for file in files])
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mosc")
    parser.add_argument("model")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        seeds = range(options.seeds)
        square = draw(options.mosc, options.model, SQUARE, seeds, "128x128", folder)
        wide = draw(options.mosc, options.model, WIDE, seeds, "192x128", folder)
        # Nine squares or six wide pictures to a row, 128 pixels and a gap of 2.
        lines = [(row[first : first + 9], 128) for row in square for first in range(0, len(row), 9)]
        lines += [(row, 192) for row in wide]
        sheet = Image.new("RGB", (6 * 194 - 2, len(lines) * 130 - 2), (255, 255, 255))
        for y, (line, width) in enumerate(lines):
            for x, picture in enumerate(line):
                sheet.paste(picture, (x * (width + 2), y * 130))
        sheet.save(options.out, quality=88)


if __name__ == "__main__":
    main()
