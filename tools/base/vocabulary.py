"""Writes a small CLIP tokenizer for the captions of a folder: vocab.json and merges.txt.

    python tools/base/vocabulary.py PICTURES OUT

Byte-pair merges are added until every word of the captions, and every word below, is one token; any
other text still splits into bytes.
"""
import collections
import json
import pathlib
import re
import sys

import scenes

EXTRA = """photo picture of a an the one two three four and with in on at by to from is are big small
little large tiny left right middle top bottom center front behind background red orange yellow green
blue purple pink gray grey black white brown golden grass sea desert snow night sunset forest space sky
field beach animal animals fruit fruits food thing things toy toys vehicle face flower plant heart bird
building character scene man woman girl boy person people hat wearing sitting standing poodle parrot
teddy dragon guitar teapot clown unicorn santa raccoon llama volcano flamingo sauropod mountain monster
instrument pot candy style painting drawing emoji icon depicts""".split()
WORDS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+")


def bytes_to_unicode():
    """The characters that stand for bytes, in CLIP's order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(others)}}


def merges_of(counts):
    """The merges, the most frequent pair first, until every word is whole."""
    symbols = bytes_to_unicode()
    words = {}
    for word, count in counts.items():
        parts = [symbols[b] for b in word.encode()]
        parts[-1] += "</w>"
        words[word] = (parts, count)
    merges = []
    while True:
        pairs = collections.Counter()
        for parts, count in words.values():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += count
        if not pairs:
            return merges
        best = max(pairs.items(), key=lambda item: (item[1], item[0]))[0]
        merges.append(best)
        for word, (parts, count) in words.items():
            merged = []
            for part in parts:
                if merged and (merged[-1], part) == best and merged[-1] is not None:
                    merged[-1] = "".join(best)
                    # A merged part starts no pair of this round.
                    merged.append(None)
                else:
                    merged.append(part)
            words[word] = ([part for part in merged if part is not None], count)


def main(pictures, out, length=77):
    """Writes the tokenizer for texts of so many tokens; the number of its entries."""
    counts = collections.Counter()
    for file in sorted(pictures.glob("*.txt")):
        counts.update(WORDS.findall(file.read_text().lower()))
    for word in EXTRA + [part for word in scenes.OBJECTS + scenes.RESERVE for part in word.split()]:
        counts[word] += 20
    merges = merges_of(counts)
    base = list(bytes_to_unicode().values())
    entries = base + [b + "</w>" for b in base] + ["".join(pair) for pair in merges]
    entries = list(dict.fromkeys(entries + ["<|startoftext|>", "<|endoftext|>"]))
    out.mkdir(parents=True, exist_ok=True)
    vocabulary = {entry: index for index, entry in enumerate(entries)}
    (out / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    lines = ["#version: 0.2", *(f"{a} {b}" for a, b in merges)]
    (out / "merges.txt").write_text("\n".join(lines) + "\n")
    end = "<|endoftext|>"
    special = {"bos_token": "<|startoftext|>", "eos_token": end, "pad_token": end, "unk_token": end}
    settings = {
        **special, "model_max_length": length, "do_lower_case": True, "add_prefix_space": False,
        "errors": "replace", "tokenizer_class": "CLIPTokenizer"}
    (out / "tokenizer_config.json").write_text(json.dumps(settings, indent=1))
    (out / "special_tokens_map.json").write_text(json.dumps(special, indent=1))
    print(f"{len(entries)} entries, {len(merges)} merges")
    return len(entries)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
