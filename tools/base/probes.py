"""Writes prompts of two things with captions that are wrong about one of them, for `mosc evaluate --probes`.

    python tools/base/probes.py OUT.json --count 64 [--seed 5]
    mosc evaluate --probes OUT.json --seeds 0-1 --json

`sides` exchanges left and right, `first` and `second` put another thing in the place of one: the shares of pictures
nearer to the prompt are left/right and two-object accuracy. Only pairs are used that the embedded model never saw
together; `alone` says one thing of a prompt of two. `places` asks of each half of a picture which of the two it shows,
which the judge can tell far better than sides.
"""
import argparse
import json
import pathlib
import random

import render
import scenes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--seed", type=int, default=5)
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

        probes.append({
            "prompt": said(*words),
            "wrong": {
                "sides": said(*words[::-1]), "first": said(others[0], words[1]),
                "second": said(words[0], others[1]), "alone": f"{scenes.article(r.choice(words))}, {kind}"},
            "parts": [part([0, 0, 0.5, 1], *words), part([0.5, 0, 1, 1], *words[::-1])]})
    options.out.write_text(json.dumps(probes, indent=0) + "\n")
    print(f"{len(probes)} probes in {options.out}")


if __name__ == "__main__":
    main()
