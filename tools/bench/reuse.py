#!/usr/bin/env python3
"""Speed and error of `mosc sample --reuse` on a model, beside the same pictures without it.

    reuse.py [--mosc .build/release/mosc] [-m MODEL] [--type f32] [--intervals 2,3,5] [--depths 2,5,8]

Sixteen pictures, of four prompts with four seeds each, are drawn in every setting. `shallow call` is the time of a
call that reuses, as a share of a whole one's in the same run (`--profile`), the median over the prompts, and `speed` what
follows for the denoising; `latents` is
‖a − b‖/‖b‖ of the final latents, `PSNR` that of the pictures in dB, over all channels of all sixteen.
Needs numpy, safetensors and Pillow.
"""
import argparse
import math
import pathlib
import re
import statistics
import subprocess
import tempfile

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

PROMPTS = ["a rocket, in space", "a fox, on grass", "a house, in the snow", "an octopus, in the sea"]


def draw(args, folder, prompt, *options):
    """The final latents, the pictures, and the share of a whole call that a shallow one takes."""
    folder.mkdir(parents=True, exist_ok=True)
    trajectory = folder / "run.safetensors"
    command = [args.mosc, "sample", "-p", prompt, "-s", "0-3", "--batch-size", "4", "--steps", str(args.steps),
               "--type", args.type, "--trajectory", str(trajectory), "-o", f"{folder}/%d.png", "--profile",
               *(["-m", args.model] if args.model else []), *options]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    seconds = dict(re.findall(r"^(U-Net|shallow steps of the U-Net):.*?of ([0-9.]+) s per run", text, re.M | re.S))
    whole, shallow = (float(seconds.get(name, "nan")) for name in ("U-Net", "shallow steps of the U-Net"))
    pictures = np.stack([np.asarray(Image.open(folder / f"{i}.png"), np.float64) for i in range(1, 5)])
    return load_file(trajectory)["latents"][-1].astype(np.float64), pictures, shallow / whole


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mosc", default=".build/release/mosc")
    parser.add_argument("-m", "--model")
    parser.add_argument("--type", default="f32")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--intervals", default="2,3,5")
    parser.add_argument("--depths", default="2,5,8")
    args = parser.parse_args()
    print("| `--reuse` | `--reuse-depth` | shallow call | speed | latents | PSNR |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        plain = [draw(args, scratch / "plain", prompt) for prompt in PROMPTS]
        for interval in args.intervals.split(","):
            for depth in args.depths.split(","):
                runs = [draw(args, scratch / "reuse", prompt, "--reuse", interval, "--reuse-depth", depth)
                        for prompt in PROMPTS]
                share = statistics.median(run[2] for run in runs)
                whole = math.ceil(args.steps / int(interval))
                speed = args.steps / (whole + (args.steps - whole) * share)
                a, b = (np.concatenate([run[0] for run in side]) for side in (runs, plain))
                error = np.linalg.norm(a - b) / np.linalg.norm(b)
                a, b = (np.concatenate([run[1] for run in side]) for side in (runs, plain))
                psnr = 10 * math.log10(255**2 / max(np.mean((a - b) ** 2), 1e-9))
                print(f"| {interval} | {depth} | {share:.2f} | {speed:.2f} × | {error:.3f} | {psnr:.1f} dB |", flush=True)


if __name__ == "__main__":
    main()
