"""Writes prompts of two things with captions that are wrong about one of them, for `mosc evaluate --probes`.

    python tools/base/probes.py OUT.json --count 64 [--seed 5] [--regions]
    mosc evaluate --probes OUT.json --seeds 0-1 --json

`sides` exchanges left and right, `first` and `second` put another thing in the place of one: the shares of pictures
nearer to the prompt are left/right and two-object accuracy. Only pairs are used that the embedded model never saw
together; `alone` says one thing of a prompt of two. `places` asks of each half of a picture which of the two it shows,
which the judge can tell far better than sides. With --regions each thing has a region too, and which
side it is on is said by the region's box alone.
"""
import argparse
import json
import pathlib
import random

import render
import scenes


# Boxes that leave a gap, so that no thing grows over both.
REGIONS = [0.05, 0.1, 0.45, 1], [0.55, 0.1, 0.95, 1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--regions", action="store_true", help="draw each thing in a region")
    options = parser.parse_args()
    r = random.Random(options.seed)
    pairs = [(a, b) for a in scenes.OBJECTS for b in scenes.OBJECTS if a != b and render.is_held_out(a, b)]
    probes = []
    for index in range(options.count):
        words = r.choice(pairs)
        kind = scenes.where(r.choice(scenes.KINDS))
        others = r.sample([word for word in scenes.OBJECTS if word not in words], 2)

        def said(first, second, is_turned=index % 4 == 3):
            left, right = (scenes.article(word) for word in (first, second))
            text = (f"{right} on the right and {left} on the left" if is_turned
                    else f"{left} on the left and {right} on the right")
            return f"{text}, {kind}"

        def part(box, word, other):
            return {"box": box, "caption": f"{scenes.article(word)}, {kind}", "wrong": f"{scenes.article(other)}, {kind}"}

        boxes = [0, 0, 0.5, 1], [0.5, 0, 1, 1]
        probe = {
            "prompt": said(*words),
            "wrong": {
                "sides": said(*words[::-1]), "first": said(others[0], words[1]),
                "second": said(words[0], others[1]), "alone": f"{scenes.article(r.choice(words))}, {kind}"},
            "parts": [part(boxes[0], *words), part(boxes[1], *words[::-1])]}
        if options.regions:
            probe["regions"] = [
                {"box": box, "prompt": f"{scenes.article(word)}, {kind}"} for box, word in zip(REGIONS, words)]
        probes.append(probe)
    options.out.write_text(json.dumps(probes, indent=0) + "\n")
    print(f"{len(probes)} probes in {options.out}")


if __name__ == "__main__":
    main()
