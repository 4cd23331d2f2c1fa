#!/usr/bin/env python3
"""Compares two safetensors files: one line per tensor, relative L2 ‖a − b‖/‖b‖ and largest difference.

  compare.py A B [--max 1e-4]     B is the reference; exit 1 if a tensor of B is missing or differs more
"""
import argparse
import sys

import torch
from safetensors.torch import load_file


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--max", type=float, default=float("inf"), help="largest relative L2 allowed")
    args = parser.parse_args()
    a, b = load_file(args.a), load_file(args.b)
    agree = True
    for name in sorted(b):
        if name not in a:
            print(f"{name}: not in {args.a}")
            agree = False
            continue
        x, y = a[name].double(), b[name].double()
        if x.shape != y.shape:
            print(f"{name}: {list(x.shape)} in {args.a}, {list(y.shape)} in {args.b}")
            agree = False
            continue
        relative = ((x - y).norm() / y.norm().clamp_min(1e-30)).item() if y.numel() else 0.0
        largest = (x - y).abs().max().item() if y.numel() else 0.0
        agree &= relative <= args.max and bool(torch.isfinite(x).all())
        print(f"{name} {list(y.shape)} relative L2 {relative:.3e}, largest {largest:.3e}")
    for name in sorted(set(a) - set(b)):
        print(f"{name}: only in {args.a}")
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()
