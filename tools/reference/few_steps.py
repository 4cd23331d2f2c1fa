#!/usr/bin/env python3
"""Remakes Tests/Goldens/few-steps: runs in few and cheap steps with diffusers, on the base model of the goldens.

    python tools/reference/few_steps.py Tests/Goldens/few-steps

`lcm_lora`, `tcd_lora`, `ddim_lora` and `euler_turbo` are runs of the stock pipeline with a LoRA and guidance 1,
`lcm_model` is one of the pipeline of latent consistency models, on a U-Net with a random projection of the
guidance's embedding (`cond_proj`). diffusers has neither a range of guidance nor reuse: these are written
out here, over its U-Net and scheduler (`guidance_range`, `reuse_*`).
"""
import json
import pathlib
import sys

import torch
from diffusers import (DDIMScheduler, EulerDiscreteScheduler, LatentConsistencyModelPipeline, LCMScheduler,
                       StableDiffusionPipeline, TCDScheduler, UNet2DConditionModel)
from safetensors.torch import save_file

import golden

SIDE, SEED, PROMPT, NEGATIVE = 64, 5, "a red cat on a chair", "blurry"
LORA = golden.ROOT / "diffusers"
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)


def base(kind=StableDiffusionPipeline, **parts):
    pipe = kind.from_pretrained(golden.BASE, safety_checker=None, **parts)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def keep(name, latents, steps, guidance, **more):
    settings = {"prompt": PROMPT, "negative_prompt": NEGATIVE, "steps": steps, "guidance_scale": guidance,
                "seed": SEED, "side": SIDE}
    tensors = {"latents": torch.stack(latents).contiguous(), **more}
    save_file(tensors, folder / f"{name}.safetensors", metadata={k: str(v) for k, v in settings.items()})
    print(name, len(latents), float(latents[-1].std()))


def run(name, pipe, steps, guidance, more={}, **arguments):
    latents = []

    def seen(_pipe, _i, _t, values):
        latents.append(values["latents"].clone())
        return {}

    pipe(PROMPT, height=SIDE, width=SIDE, num_inference_steps=steps, guidance_scale=guidance,
         generator=torch.Generator().manual_seed(SEED), output_type="latent", callback_on_step_end=seen, **arguments)
    keep(name, latents, steps, guidance, **more)


def stock():
    pipe = base()
    pipe.load_lora_weights(LORA, weight_name="lora_kohya.safetensors")
    own = pipe.scheduler.config
    pipe.scheduler = LCMScheduler.from_config(own)
    run("lcm_lora", pipe, 4, 1.0)
    pipe.scheduler = TCDScheduler.from_config(own)
    run("tcd_lora", pipe, 4, 1.0, eta=0.3)
    # As the pipeline itself sets it for a model.
    pipe.scheduler = DDIMScheduler.from_config(own, timestep_spacing="trailing", clip_sample=False)
    run("ddim_lora", pipe, 4, 1.0)
    pipe = base()
    pipe.scheduler = EulerDiscreteScheduler.from_config(own, timestep_spacing="trailing")
    run("euler_turbo", pipe, 1, 0.0)


def distilled():
    config = json.loads((golden.BASE / "unet/config.json").read_text())
    plain = UNet2DConditionModel.from_pretrained(golden.BASE / "unet").eval()
    unet = UNet2DConditionModel.from_config({**config, "time_cond_proj_dim": 10}).eval()
    projection = torch.randn(config["block_out_channels"][0], 10, generator=torch.Generator().manual_seed(9)) * 0.3
    unet.load_state_dict({**plain.state_dict(), "time_embedding.cond_proj.weight": projection})
    pipe = base(LatentConsistencyModelPipeline, unet=unet)
    pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)
    run("lcm_model", pipe, 4, 8.5, {"cond_proj": projection}, original_inference_steps=50)


class Reuse:
    """The deep feature of a diffusers U-Net, kept by whole steps and put back by shallow ones.

    What a shallow step computes below it is thrown away: the result is that of not computing it.
    """

    def __init__(self, unet, depth):
        layer = sum(unet.config.layers_per_block for _ in unet.up_blocks) + len(unet.up_blocks) - depth
        block, index = divmod(layer, unet.config.layers_per_block + 1)
        self.kept, self.shallow, self.width = None, False, None
        up = unet.up_blocks[block]
        up.register_forward_pre_hook(self.measure(index), with_kwargs=True)
        up.resnets[index].register_forward_pre_hook(self.replace)

    def measure(self, index):
        def hook(_module, _args, kwargs):
            self.width = kwargs["res_hidden_states_tuple"][-1 - index].shape[1]
        return hook

    def replace(self, _module, args):
        joined = args[0]
        own = joined.shape[1] - self.width
        if not self.shallow:
            self.kept = joined[:, :own].clone()
            return None
        return (torch.cat([self.kept, joined[:, own:]], 1), *args[1:])


def written_out():
    pipe = base()
    scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config)

    def loop(name, steps, guidance, guided=lambda i: True, reuse=None, whole=lambda i: True):
        condition, negative = pipe.encode_prompt(PROMPT, "cpu", 1, True, NEGATIVE)
        scheduler.set_timesteps(steps)
        x = torch.randn(1, 4, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(SEED))
        x = x * scheduler.init_noise_sigma
        latents = []
        for i, t in enumerate(scheduler.timesteps):
            if reuse:
                reuse.shallow = not whole(i)
            scaled = scheduler.scale_model_input(x, t)
            if guided(i):
                both = pipe.unet(torch.cat([scaled] * 2), t, torch.cat([negative, condition])).sample
                u, c = both.chunk(2)
                output = u + guidance * (c - u)
            else:
                output = pipe.unet(scaled, t, condition).sample
            x = scheduler.step(output, t, x).prev_sample
            latents.append(x)
        keep(name, latents, steps, guidance)

    loop("guidance_range", 8, 5.0, guided=lambda i: 0.25 <= i / 8 < 0.75)
    for name, depth, interval, first in [("reuse_2_3", 2, 3, 0), ("reuse_5_2", 5, 2, 3), ("reuse_1_4", 1, 4, 0)]:
        pipe = base()
        loop(name, 9, 5.0, reuse=Reuse(pipe.unet, depth),
             whole=lambda i: i < first or (i - first) % interval == 0)


stock()
distilled()
written_out()
