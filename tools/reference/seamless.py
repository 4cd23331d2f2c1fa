"""UNet and VAE of the base model with convolutions whose padding is a ring, as the web UI's `tiling` sets it.

Stored per directions `both`, `x`, `y`: `unet` for inputs `x`, `t`, `context`; `decoded` of latents `z`; and for
`both` the moments `encoded` of `image`.
"""
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, UNet2DConditionModel

import golden

MODES = {"both": ("circular", "circular"), "x": ("constant", "circular"), "y": ("circular", "constant")}


def make():
    old = golden.Golden("diffusers/seamless.safetensors")
    unet = UNet2DConditionModel.from_pretrained(golden.BASE / "unet").eval()
    vae = AutoencoderKL.from_pretrained(golden.BASE / "vae").eval()
    x = old.input("x", (1, 4, 8, 12))
    context = old.input("context", (1, 5, unet.config.cross_attention_dim))
    z = old.input("z", (1, 4, 5, 7))
    image = old.input("image", (1, 3, 32, 48)).clamp(-1, 1)
    t = torch.tensor([321.0])
    tensors = {"x": x, "t": t, "context": context, "z": z, "image": image}
    for name, (rows, columns) in MODES.items():
        for model in (unet, vae):
            set_padding(model, rows, columns)
        tensors[f"{name}.unet"] = unet(x, t, context).sample
        tensors[f"{name}.decoded"] = vae.decode(z).sample
        if name == "both":
            tensors["both.encoded"] = vae.encode(image).latent_dist.parameters
    yield old, tensors, {}


def set_padding(model, rows, columns):
    for layer in model.modules():
        if not isinstance(layer, torch.nn.Conv2d):
            continue
        if rows == columns:
            # What torch itself does.
            layer.padding_mode = "circular"
            layer.__dict__.pop("_conv_forward", None)
            continue
        high, wide = layer.padding

        def forward(image, weight, bias, layer=layer, high=high, wide=wide):
            image = F.pad(image, (wide, wide, 0, 0), mode=columns)
            image = F.pad(image, (0, 0, high, high), mode=rows)
            return F.conv2d(image, weight, bias, layer.stride)

        layer._conv_forward = forward
