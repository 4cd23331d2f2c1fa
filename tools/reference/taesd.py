#!/usr/bin/env python3
"""Remakes Tests/Goldens/taesd: a small tiny autoencoder with random weights, in the three layouts of files
that there are, and what it makes of a picture and of latents.

    python tools/reference/taesd.py Tests/Goldens/taesd
"""
import pathlib
import sys

import torch
from diffusers import AutoencoderTiny
from safetensors.torch import save_file

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
torch.manual_seed(3)
model = AutoencoderTiny(
    encoder_block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8, 8),
    num_encoder_blocks=(1, 2, 1, 1), num_decoder_blocks=(2, 1, 1, 1)).eval()
# As they are drawn, weights let a signal die away.
for name, weight in model.named_parameters():
    weight.data.mul_(1.6 if weight.ndim == 4 else 1)


def original(name, half):
    """The name in the original release, whose decoder counts a clamp as its first layer."""
    number, rest = name.removeprefix(f"{half}.layers.").split(".", 1)
    return f"{int(number) + (half == 'decoder')}.{rest}"


state = {k: v.detach().contiguous() for k, v in model.state_dict().items()}
model.save_pretrained(folder / "diffusers")
for half in ("encoder", "decoder"):
    own = {original(k, half): v for k, v in state.items() if k.startswith(half)}
    torch.save(own, folder / f"taesd_{half}.pth")
save_file({k.split(".")[0] + "." + original(k, k.split(".")[0]): v for k, v in state.items()},
          folder / "both.safetensors")
image = torch.rand(2, 3, 32, 48) * 2 - 1
latents = torch.randn(2, 4, 3, 5) * 1.5
with torch.no_grad():
    tensors = {"image": image, "latents": latents, "encoded": model.encode(image).latents,
               "decoded": model.decode(latents).sample}
save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "expected.safetensors")
