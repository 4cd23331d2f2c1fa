"""Runs that begin with a picture, with the stock pipelines: image to image, and inpainting with a plain U-Net and
with one that is given the mask.

`picture` and `mask` are 8-bit, `latents_init` the noise that the picture's latents are mixed with, `data` those
latents, drawn from the encoder's distribution, `latents` what is left after every step. The inpainting U-Net is the
base with another first layer, which is stored. `variation.0.3` is three tenths of the way from one noise to another.
"""
import diffusers
import numpy as np
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline
from PIL import Image

import golden

SD = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
LEADING = {**SD, "timestep_spacing": "leading", "steps_offset": 1}
# Name: kind of the run, class and configuration of the scheduler, steps, strength.
RUNS = {
    "img2img.ddim": ("img2img", "DDIMScheduler",
                     {**LEADING, "set_alpha_to_one": False, "clip_sample": False}, 8, 0.6),
    "img2img.dpmpp2m": ("img2img", "DPMSolverMultistepScheduler", {**SD, "use_karras_sigmas": True}, 7, 0.75),
    "img2img.euler_a": ("img2img", "EulerAncestralDiscreteScheduler", LEADING, 6, 0.5),
    "img2img.heun": ("img2img", "HeunDiscreteScheduler", SD, 5, 1.0),
    "inpaint.ddim": ("inpaint", "DDIMScheduler",
                     {**LEADING, "set_alpha_to_one": False, "clip_sample": False}, 6, 1.0),
    "inpaint.dpmpp2m": ("inpaint", "DPMSolverMultistepScheduler", {**SD, "use_karras_sigmas": True}, 7, 0.75),
    "inpaint.euler_a": ("inpaint", "EulerAncestralDiscreteScheduler", LEADING, 6, 0.7),
    "masked.ddim": ("masked", "DDIMScheduler",
                    {**LEADING, "set_alpha_to_one": False, "clip_sample": False}, 6, 1.0),
    "masked.euler": ("masked", "EulerDiscreteScheduler", SD, 6, 0.7),
}
PROMPT, NEGATIVE, GUIDANCE, SEED = "a photo of a cat on a chair", "blurry, dark", 4.0, 31
WIDTH, HEIGHT = 64, 48


def make():
    old = golden.Golden("diffusers/img2img.safetensors")
    tensors = {"picture": old.tensors.get("picture", picture()), "mask": old.tensors.get("mask", mask()),
               "conv_in": old.tensors.get("conv_in", first_layer())}
    runs = {}
    for name, (kind, scheduler, config, steps, strength) in RUNS.items():
        runs[name] = {"kind": kind, "scheduler": scheduler, "config": config, "steps": steps, "strength": strength}
        for key, value in run(tensors, runs[name]).items():
            tensors[f"{name}.{key}"] = value
    first, other = torch.Generator().manual_seed(5), torch.Generator().manual_seed(6)
    tensors["variation.a"] = torch.randn((4, 5, 3), generator=first)
    tensors["variation.b"] = torch.randn((4, 5, 3), generator=other)
    tensors["variation.0.3"] = between(0.3, tensors["variation.a"], tensors["variation.b"])
    yield old, tensors, {"runs": runs, "prompt": PROMPT, "negative_prompt": NEGATIVE,
                         "guidance_scale": GUIDANCE, "seed": SEED}


def run(tensors, settings):
    kind = settings["kind"]
    pipeline = StableDiffusionImg2ImgPipeline if kind == "img2img" else StableDiffusionInpaintPipeline
    pipe = pipeline.from_pretrained(golden.BASE, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = getattr(diffusers, settings["scheduler"])(**settings["config"])
    if kind == "masked":
        pipe.unet.conv_in = torch.nn.Conv2d(9, tensors["conv_in"].shape[0], 3, padding=1)
        pipe.unet.conv_in.weight.copy_(tensors["conv_in"])
        pipe.unet.conv_in.bias.copy_(first_bias())
        pipe.unet.register_to_config(in_channels=9)
    latents, begun = [], {}

    def keep(_pipe, _i, _t, values):
        latents.append(values["latents"].clone())
        return {}

    arguments = {"image": Image.fromarray(tensors["picture"].numpy())}
    if kind != "img2img":
        arguments.update(mask_image=Image.fromarray(tensors["mask"].numpy()), height=HEIGHT, width=WIDTH)
        prepare = pipe.prepare_latents

        def recorded(*args, **kwargs):
            found = prepare(*args, **kwargs)
            begun["noise"] = found[1]
            return found

        pipe.prepare_latents = recorded
    else:
        add = pipe.scheduler.add_noise

        def added(data, noise, timesteps):
            begun.update(data=data.clone(), noise=noise.clone())
            return add(data, noise, timesteps)

        pipe.scheduler.add_noise = added
    image = pipe(PROMPT, negative_prompt=NEGATIVE, num_inference_steps=settings["steps"],
                 strength=settings["strength"], guidance_scale=GUIDANCE, output_type="np",
                 callback_on_step_end=keep, generator=torch.Generator().manual_seed(SEED), **arguments).images[0]
    result = {"latents_init": begun["noise"], "latents": torch.stack(latents),
              "image": torch.from_numpy((image * 255).round().astype("uint8"))}
    if "data" in begun:
        result["data"] = begun["data"]
    return result


def first_bias():
    return diffusers.UNet2DConditionModel.from_pretrained(golden.BASE / "unet").conv_in.bias


def between(t, a, b):
    """Spherical interpolation of noise [c, h, w] with vectors along h, as the A1111 web UI's variation seeds."""
    angle = torch.acos(((a / a.norm(dim=1, keepdim=True)) * (b / b.norm(dim=1, keepdim=True))).sum(1))
    weights = torch.sin((1 - t) * angle) / torch.sin(angle), torch.sin(t * angle) / torch.sin(angle)
    return weights[0].unsqueeze(1) * a + weights[1].unsqueeze(1) * b


def picture():
    """Soft colours with an edge, so that latents differ from place to place."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = np.stack([np.sin(x / 9 + y / 17), np.cos(x / 23 - y / 5), np.sin(x * y / 700)], -1)
    waves[y > x] *= -0.6
    return torch.from_numpy((127.5 + 120 * waves).round().astype("uint8"))


def mask():
    """A box and a corner, at borders of latent pixels: how others are rounded is each program's own."""
    marks = torch.zeros(HEIGHT, WIDTH, dtype=torch.uint8)
    marks[8:32, 16:48] = 255
    marks[40:48, 56:64] = 255
    return marks


def first_layer():
    generator = torch.Generator().manual_seed(9)
    return torch.randn(32, 9, 3, 3, generator=generator) / 9
