"""Whole runs, seed to picture, with the stock pipeline: initial latents, latents after every step.

`latents_init` is the plain normal noise, as the pipeline's `latents` argument takes it: the scheduler's
`init_noise_sigma` is multiplied in afterwards.
"""
import sys

import diffusers
import torch
from diffusers import StableDiffusionPipeline

import golden

FILES = {"pndm": "PNDMScheduler", "euler_a": "EulerAncestralDiscreteScheduler",
         "dpmpp2m_karras": "DPMSolverMultistepScheduler"}


def make():
    pipe = StableDiffusionPipeline.from_pretrained(golden.BASE, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    for name, scheduler in FILES.items():
        old = golden.Golden(f"diffusers/txt2img_{name}.safetensors")
        run = old.settings
        pipe.scheduler = getattr(diffusers, scheduler)(**configuration(run["scheduler"]))
        yield old, sample(pipe, run), {k: v for k, v in run.items() if k not in golden.versions()}


def sample(pipe, run):
    latents, noise = [], []
    module = sys.modules[type(pipe.scheduler).__module__]
    draw = getattr(module, "randn_tensor", None)

    def recorded(*args, **kwargs):
        noise.append(draw(*args, **kwargs))
        return noise[-1]

    def keep(_pipe, _i, _t, values):
        latents.append(values["latents"].clone())
        return {}

    if draw:
        module.randn_tensor = recorded
    try:
        image = pipe(
            run["prompt"], negative_prompt=run["negative_prompt"], height=run["height"],
            width=run["width"], num_inference_steps=run["steps"],
            guidance_scale=run["guidance_scale"], output_type="np", callback_on_step_end=keep,
            generator=torch.Generator().manual_seed(run["seed"])).images[0]
    finally:
        if draw:
            module.randn_tensor = draw
    shape = (1, 4, run["height"] // 8, run["width"] // 8)
    start = torch.randn(shape, generator=torch.Generator().manual_seed(run["seed"]))
    tensors = {"latents_init": start, "latents": torch.stack(latents),
               "timesteps": pipe.scheduler.timesteps.double(),
               "image": torch.from_numpy((image * 255).round().astype("uint8"))}
    if noise:
        tensors["noise"] = torch.stack(noise)
    return tensors


def configuration(stored):
    """The scheduler's own settings: no bookkeeping keys, infinities as numbers."""
    return {k: float("-inf") if v == "-Infinity" else v for k, v in stored.items()
            if not k.startswith("_")}
