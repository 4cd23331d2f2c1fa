#!/usr/bin/env python3
"""Speed and error of `mosc sample --reuse` on a model, beside the same pictures without it.

    reuse.py [--mosc .build/release/mosc] [-m MODEL] [--type f32] [--intervals 2,3,5] [--depths 2,5,8]

Sixteen pictures, of four prompts with four seeds each, are drawn in every setting. `speed` is that of the denoising
steps alone, by the program's own clock (`--log-format json`), the median over the prompts; `latents` is
‖a − b‖/‖b‖ of the final latents, `PSNR` that of the pictures in dB, over all channels of all sixteen.
Needs numpy, safetensors and Pillow.
"""
import argparse
import json
import math
import pathlib
import statistics
import subprocess
import tempfile

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

PROMPTS = ["a rocket, in space", "a fox, on grass", "a house, in the snow", "an octopus, in the sea"]


def draw(args, folder, prompt, *options):
    """The final latents, the pictures and the seconds of the steps."""
    folder.mkdir(parents=True, exist_ok=True)
    trajectory = folder / "run.safetensors"
    command = [args.mosc, "sample", "-p", prompt, "-s", "0-3", "--batch-size", "4", "--steps", str(args.steps),
               "--type", args.type, "--trajectory", str(trajectory), "-o", f"{folder}/%d.png",
               "--log-format", "json", "-v", *(["-m", args.model] if args.model else []), *options]
    events = [json.loads(line) for line in subprocess.run(
        command, check=True, capture_output=True, text=True).stderr.splitlines() if line.startswith("{")]
    seconds = sum(e.get("seconds", 0) for e in events if e.get("event") == "end" and e.get("phase") == "step")
    pictures = np.stack([np.asarray(Image.open(folder / f"{i}.png"), np.float64) for i in range(1, 5)])
    return load_file(trajectory)["latents"][-1].astype(np.float64), pictures, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mosc", default=".build/release/mosc")
    parser.add_argument("-m", "--model")
    parser.add_argument("--type", default="f32")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--intervals", default="2,3,5")
    parser.add_argument("--depths", default="2,5,8")
    args = parser.parse_args()
    print("| `--reuse` | `--reuse-depth` | speed | latents | PSNR |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        plain = [draw(args, scratch / "plain", prompt) for prompt in PROMPTS]
        for interval in args.intervals.split(","):
            for depth in args.depths.split(","):
                runs = [draw(args, scratch / "reuse", prompt, "--reuse", interval, "--reuse-depth", depth)
                        for prompt in PROMPTS]
                speed = statistics.median(a[2] / b[2] for a, b in zip(plain, runs))
                a, b = (np.concatenate([run[0] for run in side]) for side in (runs, plain))
                error = np.linalg.norm(a - b) / np.linalg.norm(b)
                a, b = (np.concatenate([run[1] for run in side]) for side in (runs, plain))
                psnr = 10 * math.log10(255**2 / max(np.mean((a - b) ** 2), 1e-9))
                print(f"| {interval} | {depth} | {speed:.2f} × | {error:.3f} | {psnr:.1f} dB |", flush=True)


if __name__ == "__main__":
    main()
