"""What the reference scripts share: places, settings, reading, writing and comparing goldens."""
import json
import os
import pathlib
import zlib

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")

import diffusers
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).resolve().parents[2] / "Tests" / "Goldens"
BASE = ROOT / "mix-of-show" / "base"
TOLERANCES = json.loads((ROOT / "tolerances.json").read_text())

torch.set_num_threads(1)
torch.set_grad_enabled(False)
transformers.logging.set_verbosity_error()
diffusers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
diffusers.logging.disable_progress_bar()


class Golden:
    """One safetensors file: `tensors`, and `settings` (its metadata, JSON values decoded)."""

    def __init__(self, name):
        self.name, self.tensors, self.settings = name, {}, {}
        path = ROOT / name
        if path.exists():
            with safe_open(path, "pt") as f:
                self.settings = {k: decoded(v) for k, v in (f.metadata() or {}).items()}
                self.tensors = {k: f.get_tensor(k) for k in f.keys()}

    def input(self, key, shape):
        """The stored input of that name; for a new case one drawn from a seed made of the name."""
        if key in self.tensors:
            return self.tensors[key]
        return torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(key.encode())))


def decoded(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def versions():
    return {"torch": torch.__version__, "diffusers": diffusers.__version__,
            "transformers": transformers.__version__}


def write(path, tensors, settings):
    """Writes a golden file; settings that are not text become JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)
            for k, v in settings.items()}
    save_file({k: v.contiguous() for k, v in sorted(tensors.items())}, path, metadata=text)


def difference(a, b):
    """Relative L2 difference ‖a − b‖/‖b‖ and the largest absolute difference, in double."""
    a, b = a.double(), b.double()
    gap = (a - b).norm().item()
    largest = (a - b).abs().max().item() if a.numel() else 0.0
    return (gap / max(b.norm().item(), 1e-30) if gap else 0.0), largest


def check(name, new, old):
    """Compares remade tensors with the stored ones; prints the worst and returns whether all agree.

    Integers must be equal (uint8 pictures within one level), the rest within ten times the worst
    difference between the reference's own single and double precision runs. A tensor may have got
    more rows than the stored one.
    """
    bound = 10 * TOLERANCES.get(name, {}).get("summary", {}).get("worst_rel_l2", 1e-6)
    worst, where, bad = 0.0, "-", []
    bad += [f"{k} is missing" for k in old if k not in new]
    for key in sorted(k for k in new if k in old):
        a, b = new[key], old[key]
        if a.ndim and a.shape[1:] == b.shape[1:] and len(a) > len(b):
            a = a[:len(b)]
        if a.shape != b.shape or a.dtype != b.dtype:
            bad.append(f"{key} is {a.dtype}{list(a.shape)}, stored {b.dtype}{list(b.shape)}")
            continue
        rel, largest = difference(a, b)
        if rel > worst:
            worst, where = rel, key
        if not b.is_floating_point():
            if largest > (1 if b.dtype == torch.uint8 else 0):
                bad.append(f"{key} differs by {largest:g}")
        elif not rel <= bound:
            bad.append(f"{key} differs by {rel:.2e} (relative L2), at most {bound:.2e} expected")
    added = sum(k not in old for k in new)
    print(f"{name:50s} {len(new):4d} tensors, {added} new, worst {worst:.1e} ({where})", flush=True)
    for line in bad:
        print("   ", line)
    return not bad
