"""Remakes Tests/Goldens/diffusers/control_*: runs of the stock pipelines with one and with two ControlNets.

    python tools/reference/control_nets.py FOLDER

The networks are copies of the tiny U-Net's way down, of which all tensors are multiplied by a number, with random
convolutions that read the picture and give the results; only these are stored (`net0.…`, `net1.…`).
"""

import json
import pathlib
import sys

import numpy as np
import torch
from diffusers import ControlNetModel, DDIMScheduler, StableDiffusionControlNetPipeline, UNet2DConditionModel
from PIL import Image
from safetensors.torch import save_file

import golden

folder = pathlib.Path(sys.argv[1])
SCALES = [1.0, 0.9]
WIDTH, HEIGHT, STEPS = 48, 64, 4
unet = UNet2DConditionModel.from_pretrained(golden.BASE / "unet")


def network(index):
    net = ControlNetModel.from_unet(unet, conditioning_channels=3,
                                    controlnet_conditioning_channel_order="rgb")
    torch.manual_seed(index + 1)
    widths = (4, 4, 6, 8)
    made = ControlNetModel.from_config({**net.config, "conditioning_embedding_out_channels": widths})
    made.load_state_dict({k: v for k, v in net.state_dict().items() if not own(k)}, strict=False)
    for name, value in made.state_dict().items():
        if own(name):
            value.copy_(torch.randn(value.shape) * (0.15 if "controlnet_down" in name or "mid_block" in name else 0.5))
        else:
            value.mul_(SCALES[index])
    return made.eval()


def own(name):
    return name.startswith("controlnet_")


nets = [network(0), network(1)]
y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
pictures = [
    np.stack([x * 5, y * 3, (x * y) % 256], -1).astype(np.uint8),
    np.repeat((((x // 8 + y // 8) % 2) * 255).astype(np.uint8)[..., None], 3, -1),
]
weights = {f"net{i}.{k}": v for i, n in enumerate(nets) for k, v in n.state_dict().items() if own(k)}
save_file(
    {**{k: v.contiguous() for k, v in weights.items()},
     **{f"image{i}": torch.from_numpy(p.copy()) for i, p in enumerate(pictures)}},
    folder / "control_nets.safetensors",
    metadata={"scales": json.dumps(SCALES), **golden.versions()})


def scaled(net, powers, count=13):
    """What the web UI's extension multiplies results by, in place of the pipeline's own numbers."""
    forward = net.forward

    def call(*args, **kwargs):
        kwargs["guess_mode"] = False
        down, mid = forward(*args, **kwargs)
        n = len(down) + 1
        return [d * powers ** (n - 1 - i) for i, d in enumerate(down)], mid
    net.forward = call


CASES = {
    "one": {"nets": [0], "strength": [0.8], "start": [0.0], "end": [0.6]},
    "two": {"nets": [0, 1], "strength": [0.7, 0.5], "start": [0.0, 0.3], "end": [1.0, 0.8]},
    "guess": {"nets": [0], "strength": [1.2], "start": [0.0], "end": [1.0], "guess": True},
    "prompt": {"nets": [1], "strength": [1.0], "start": [0.0], "end": [1.0], "powers": 0.825},
    "control": {"nets": [1], "strength": [1.0], "start": [0.0], "end": [1.0], "guess": True,
                "powers": 0.825},
}
tensors, settings = {}, {}
for name, case in CASES.items():
    own_nets = [network(i) for i in case["nets"]]
    if "powers" in case:
        for net in own_nets:
            scaled(net, case["powers"])
    many = len(own_nets) > 1
    pipe = StableDiffusionControlNetPipeline.from_pretrained(
        golden.BASE, safety_checker=None, controlnet=own_nets if many else own_nets[0])
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, timestep_spacing="leading",
                                               clip_sample=False)
    pipe.set_progress_bar_config(disable=True)
    latents = []

    def keep(_pipe, _i, _t, values):
        latents.append(values["latents"].clone())
        return {}

    given = [Image.fromarray(pictures[i]) for i in case["nets"]]
    one = (lambda values: values) if many else (lambda values: values[0])
    pipe("a cat on a chair", negative_prompt="blurry", image=one(given), width=WIDTH, height=HEIGHT,
         num_inference_steps=STEPS, guidance_scale=5.0,
         controlnet_conditioning_scale=one(case["strength"]),
         control_guidance_start=one(case["start"]), control_guidance_end=one(case["end"]),
         guess_mode=case.get("guess", False), output_type="latent", callback_on_step_end=keep,
         generator=torch.Generator().manual_seed(3))
    tensors[f"{name}.latents"] = torch.cat(latents).contiguous()
    settings[name] = json.dumps(case)
plain = {"steps": STEPS, "guidance_scale": 5.0, "seed": 3, "prompt": "a cat on a chair",
         "negative_prompt": "blurry"}
save_file(tensors, folder / "control_runs.safetensors",
          metadata={**settings, "settings": json.dumps(plain), **golden.versions()})
