"""Remakes Tests/Goldens/torch/upscaler*: small random RRDBNets in the namings of their releases, what they make of a
picture, and latents in other sizes.

    python tools/reference/upscaler.py FOLDER

`RRDBNet` is written here after Wang et al. 2018 and 2021 ("ESRGAN", "Real-ESRGAN").
"""

import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

WIDTH, GROWTH, BLOCKS = 16, 4, 2


def conv(a, b):
    return nn.Conv2d(a, b, 3, padding=1)


def act(x):
    return F.leaky_relu(x, 0.2)


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        for k in range(1, 6):
            self.add_module(f"conv{k}", conv(WIDTH + (k - 1) * GROWTH, GROWTH if k < 5 else WIDTH))

    def forward(self, x):
        known = [x]
        for k in range(1, 5):
            known.append(act(getattr(self, f"conv{k}")(torch.cat(known, 1))))
        return self.conv5(torch.cat(known, 1)) * 0.2 + x


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = Dense(), Dense(), Dense()

    def forward(self, x):
        return self.rdb3(self.rdb2(self.rdb1(x))) * 0.2 + x


class RRDBNet(nn.Module):
    def __init__(self, doublings, unshuffle):
        super().__init__()
        self.unshuffle = unshuffle
        self.conv_first = conv(3 * unshuffle**2, WIDTH)
        self.body = nn.Sequential(*[Block() for _ in range(BLOCKS)])
        self.conv_body = conv(WIDTH, WIDTH)
        self.ups = [f"conv_up{k + 1}" for k in range(doublings)]
        for name in self.ups:
            self.add_module(name, conv(WIDTH, WIDTH))
        self.conv_hr, self.conv_last = conv(WIDTH, WIDTH), conv(WIDTH, 3)

    def forward(self, x):
        x = self.conv_first(F.pixel_unshuffle(x, self.unshuffle))
        x = x + self.conv_body(self.body(x))
        for name in self.ups:
            x = act(getattr(self, name)(F.interpolate(x, scale_factor=2, mode="nearest")))
        return self.conv_last(act(self.conv_hr(x)))


def first_release(name, doublings):
    part, kind = name.rsplit(".", 1)
    words = part.split(".")
    if words[0] == "body":
        return f"model.1.sub.{words[1]}.{words[2].upper()}.{words[3]}.0.{kind}"
    numbers = {"conv_first": "0", "conv_body": f"1.sub.{BLOCKS}", "conv_hr": str(2 + 3 * doublings),
               "conv_last": str(4 + 3 * doublings)}
    return f"model.{numbers.get(part) or 3 * int(part[-1])}.{kind}"


folder = pathlib.Path(sys.argv[1])
torch.manual_seed(1)
torch.set_grad_enabled(False)
four = RRDBNet(2, 1).eval()
two = RRDBNet(2, 2).eval()
for net in (four, two):
    for weight in net.parameters():
        weight.mul_(1.5)
torch.save({"params_ema": two.state_dict(), "params": {k: v * 0 for k, v in two.state_dict().items()}},
           folder / "upscaler-x2.pth")
torch.save({first_release(k, 2): v for k, v in four.state_dict().items()}, folder / "upscaler-x4.pth")
image = torch.rand(1, 3, 10, 14)
latents = torch.randn(2, 4, 5, 7)
tensors = {"image": image, "x4": four(image), "x2": two(image), "latents": latents}
# Modes of torch by the names that the web UI gives latent upscalers.
MODES = {"nearest": ("nearest", False), "nearest-exact": ("nearest-exact", False), "bilinear": ("bilinear", False),
         "bicubic": ("bicubic", False), "antialiased": ("bilinear", True), "bicubic antialiased": ("bicubic", True)}
for name, (mode, antialias) in MODES.items():
    for size in [(10, 14), (8, 9), (3, 4)]:
        tensors[f"{name}.{size[0]}x{size[1]}"] = F.interpolate(latents, size=size, mode=mode, antialias=antialias)
save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "upscaler.safetensors",
          metadata={"torch": torch.__version__})
