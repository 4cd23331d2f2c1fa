#!/usr/bin/env python3
"""Remakes the goldens of Tests/Goldens/diffusers and compares them with the stored ones.

  remake.py [--out DIR] [PART ...]      parts: tokens text unet vae schedulers beginnings draws txt2img img2img seamless

Exit 1 when a remade tensor is out of tolerance. With --out the remade files are written there
(`--out Tests/Goldens` extends the stored ones).
"""
import argparse
import json
import pathlib
import sys

import beginnings
import draws
import golden
import img2img
import schedulers
import seamless
import text_encoder
import txt2img
import unet
import vae

PARTS = {"text": text_encoder, "unet": unet, "vae": vae, "schedulers": schedulers,
         "beginnings": beginnings, "draws": draws, "txt2img": txt2img, "img2img": img2img,
         "seamless": seamless}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("part", nargs="*", metavar="PART")
    args = parser.parse_args()
    unknown = set(args.part) - {"tokens", *PARTS}
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}: tokens {' '.join(PARTS)}")
    agree = True
    for part in args.part or ["tokens", *PARTS]:
        if part == "tokens":
            agree &= remake_tokens(args.out)
            continue
        for old, tensors, settings in PARTS[part].make():
            agree &= golden.check(old.name, tensors, old.tensors)
            if args.out:
                golden.write(args.out / old.name, tensors, {**settings, **golden.versions()})
    sys.exit(0 if agree else 1)


def remake_tokens(out):
    new, old = text_encoder.tokens()
    wrong = [(a, b) for a, b in zip(new, old) if a["ids"] != b["ids"]]
    print(f"{'diffusers/tokens.json':50s} {len(new):4d} strings, {len(wrong)} differ", flush=True)
    for a, b in wrong:
        print(f"    {a['text']!r}: {a['ids']}, stored {b['ids']}")
    if out:
        path = out / "diffusers" / "tokens.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(new, ensure_ascii=False, indent=1) + "\n")
    return not wrong


if __name__ == "__main__":
    main()
