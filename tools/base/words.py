"""Writes words.json: the words that captions of the embedded model's pictures have.

    python tools/base/words.py MODEL
"""
import json
import pathlib
import sys

import scenes

OTHERS = """a an on in at the left right middle big small picture photo of background two and with""".split()


def main(model):
    places = sorted({word for text in scenes.SCENES.values() for word in text.split()} - set(OTHERS))
    kinds = sorted({scenes.GLYPHS[word][1] for word in scenes.OBJECTS} | {"things"})
    words = {
        "things": scenes.OBJECTS, "kinds of things": kinds, "places": places,
        "colours": list(scenes.COLOURS), "others": OTHERS}
    text = json.dumps(words, indent=1, ensure_ascii=False)
    (pathlib.Path(model) / "words.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
