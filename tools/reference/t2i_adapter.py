"""Remakes Tests/Goldens/torch/adapter*: a small T2I-Adapter with the names of the original release.

    python tools/reference/t2i_adapter.py FOLDER
"""

import pathlib
import sys

import torch
from diffusers import T2IAdapter
from safetensors.torch import save_file

folder = pathlib.Path(sys.argv[1])
torch.manual_seed(1)
adapter = T2IAdapter(
    in_channels=3, channels=[4, 6, 6, 8], num_res_blocks=2, downscale_factor=8,
    adapter_type="full_adapter").eval()


def original(name):
    parts = name.split(".")[1:]
    if parts[0] == "body" and parts[2] == "resnets":
        parts = ["body", str(2 * int(parts[1]) + int(parts[3]))] + parts[4:]
    elif parts[0] == "body":
        parts = ["body", str(2 * int(parts[1]))] + parts[2:]
    return ".".join(parts)


torch.save({original(k): v for k, v in adapter.state_dict().items()}, folder / "adapter.pth")
image = torch.rand(2, 3, 40, 72)
with torch.no_grad():
    maps = adapter(image)
tensors = {f"map{i}": m.contiguous() for i, m in enumerate(maps)}
save_file({"image": image, **tensors}, folder / "adapter.safetensors")
