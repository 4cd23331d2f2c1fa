"""Draws of torch's CPU generator, named kind.s<seed>.<size> (or <low>to<high>, 20 numbers)."""
import torch

import golden

SEEDS = [0, 1, 42, 2147483648]
NORMALS = ["1", "5", "15", "16", "17", "100", "1x4x16x16", "4x64x64"]
NORMALS_F64 = ["1", "2", "15", "16", "17", "40"]
RANGES = [(0, 10), (0, 1000), (-5, 6), (0, 2**20), (0, 2**28 - 1), (0, 2**28), (0, 2**31), (0, 2**33)]
PERMUTATIONS = [1, 2, 10, 77, 1000]
STREAM = ["randn(3)", "randn(16)", "randint(0,1000,(2,))", "randn(5)", "rand(3)", "randn(21)",
          "randn(1)", "randperm(6)", "randn(2,4,3,3)"]


def make():
    old = golden.Golden("diffusers/torch_draws.safetensors")
    tensors = {}
    for seed in SEEDS:
        def fresh():
            return torch.Generator().manual_seed(seed)

        def keep(kind, what, value):
            tensors[f"{kind}.s{seed}.{what}"] = value

        keep("rand", 20, torch.rand(20, generator=fresh()))
        keep("rand_f64", 20, torch.rand(20, generator=fresh(), dtype=torch.float64))
        for size in NORMALS:
            keep("randn", size, torch.randn(shape(size), generator=fresh()))
        for size in NORMALS_F64:
            keep("randn_f64", size,
                 torch.randn(shape(size), generator=fresh(), dtype=torch.float64))
        for low, high in RANGES:
            keep("randint", f"{low}to{high}", torch.randint(low, high, (20,), generator=fresh()))
        for n in PERMUTATIONS:
            keep("randperm", n, torch.randperm(n, generator=fresh()))
        for i, value in enumerate(stream(fresh())):
            keep("stream", i, value)
    yield old, tensors, {"stream_order": STREAM,
                         "cpu_capability": torch.backends.cpu.get_cpu_capability()}


def shape(text):
    return [int(n) for n in text.split("x")]


def stream(g):
    """The draws of STREAM from one generator, in that order."""
    return [torch.randn(3, generator=g), torch.randn(16, generator=g),
            torch.randint(0, 1000, (2,), generator=g), torch.randn(5, generator=g),
            torch.rand(3, generator=g), torch.randn(21, generator=g), torch.randn(1, generator=g),
            torch.randperm(6, generator=g), torch.randn(2, 4, 3, 3, generator=g)]
