#!/usr/bin/env python3
"""Solves the layers of a fusion in PyTorch as Cholesky's decompositions of Gram matrices.

    mosc fuse … --stats STATS              # gathers the statistics
    fusion_cholesky.py STATS [--f32]       # this: reads them, W = (Σ Wᵢ Gᵢ) (Σ Gᵢ + λ)⁻¹ per layer
    mosc fuse … --stats STATS              # the same layers, the statistics are there already

The statistics and concepts are those that mosc keeps in STATS; one damped decomposition per layer, λ a
hundred-thousandth of the mean of the diagonal. Printed are the seconds with reading and without.
"""
import argparse
import json
import os
import time

import torch
from safetensors import safe_open


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stats")
    parser.add_argument("--f32", action="store_true", help="single precision")
    parser.add_argument("-t", "--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    dtype = torch.float32 if args.f32 else torch.float64
    with open(os.path.join(args.stats, "fusion.json")) as f:
        concepts = [entry["name"] for entry in json.load(f)["concepts"]]
    adapters = [safe_open(os.path.join(args.stats, f"{name}.safetensors"), "pt")
                for name in concepts]
    keys = [{key.removesuffix(".lora_down.weight") for key in file.keys()
             if key.endswith(".lora_down.weight")} for file in adapters]
    start, solving, layers = time.perf_counter(), 0.0, 0
    for stage in ["text", "cross-attention", "spatial"]:
        files = [safe_open(os.path.join(args.stats, f"{name}.{stage}.moments"), "pt")
                 for name in concepts]
        moments = json.loads(files[0].metadata()["moments"])
        for tensor, entry in moments.items():
            width = entry["width"]
            upper = torch.triu_indices(width, width)
            grams = []
            for file in files:
                gram = torch.zeros(width, width, dtype=dtype)
                gram[upper[0], upper[1]] = file.get_tensor(tensor).to(dtype)
                grams.append(gram + gram.T - torch.diag(gram.diagonal()))
            for layer in entry["layers"]:
                name = key(layer)
                if any(name not in known for known in keys):
                    raise SystemExit(f"no factors for {layer} ({name})")
                begin = time.perf_counter()
                total = torch.stack(grams).sum(0) if len(grams) < 2 else sum(grams[1:], grams[0])
                wanted = 0
                for file, gram in zip(adapters, grams):
                    down = file.get_tensor(f"{name}.lora_down.weight").flatten(1).to(dtype)
                    up = file.get_tensor(f"{name}.lora_up.weight").flatten(1).to(dtype)
                    wanted = wanted + (up @ down) @ gram
                total = total + torch.eye(width, dtype=dtype) * (total.diagonal().mean() * 1e-5)
                factor = torch.linalg.cholesky(total)
                change = torch.cholesky_solve(wanted.T, factor).T
                if not change.isfinite().all():
                    raise SystemExit(f"{layer}: not finite")
                solving += time.perf_counter() - begin
                layers += 1
    print(f"{layers} layers: {solving:.1f} s, with reading {time.perf_counter() - start:.1f} s")


def key(layer):
    """The name of a layer of mosc in kohya's spelling."""
    network, rest = layer.split(".", 1)
    return ("lora_te_" if network == "text_encoder" else "lora_unet_") + rest.replace(".", "_")


if __name__ == "__main__":
    main()
