"""Remakes Tests/Goldens/peft/merges.safetensors: two LoRAs of two layers, and what PEFT's `ties` makes of their products.

    python tools/reference/merges.py FOLDER
"""

import pathlib
import sys

import peft
import torch
from diffusers import UNet2DConditionModel
from peft.utils.merge_utils import ties
from safetensors.torch import save_file

import golden

folder = pathlib.Path(sys.argv[1])
LAYERS = ["mid_block.attentions.0.transformer_blocks.0.attn1.to_q", "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"]
RANK, DENSITY = 3, 0.3
unet = UNet2DConditionModel.from_pretrained(golden.BASE / "unet")
torch.manual_seed(11)
tensors = {}
for layer in LAYERS:
    rows, columns = unet.get_submodule(layer).weight.shape
    stem = "lora_unet_" + layer.replace(".", "_")
    products = []
    for name in "ab":
        down, up = torch.randn(RANK, columns), torch.randn(rows, RANK)
        tensors[f"{name}.{stem}.lora_down.weight"] = down
        tensors[f"{name}.{stem}.lora_up.weight"] = up
        products.append(up.double() @ down.double())
    tensors[f"ties.{layer}"] = ties(products, torch.ones(2).double(), DENSITY).float()
save_file(tensors, folder / "merges.safetensors", metadata={"density": str(DENSITY), "peft": peft.__version__, **golden.versions()})
print({k: tuple(v.shape) for k, v in tensors.items()})
