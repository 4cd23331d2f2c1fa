#!/usr/bin/env python3
"""Runs one component with diffusers, on the files and tensor names that `mosc run` uses.

  run.py text_encoder|unet|vae_encoder|vae_decoder -m MODEL --in IN --out OUT [--type f32|bf16] [-t N]
  run.py unet -m MODEL --make-inputs IN --latent 64x64 --batch 2 [--seed 7]
"""
import argparse

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

COMPONENTS = {"text_encoder": (CLIPTextModel, "text_encoder"), "unet": (UNet2DConditionModel, "unet"),
              "vae_encoder": (AutoencoderKL, "vae"), "vae_decoder": (AutoencoderKL, "vae")}


def outputs(component, model, given):
    if component == "text_encoder":
        return {"last_hidden_state": model(given["input_ids"].long()).last_hidden_state}
    if component == "unet":
        y = model(given["sample"], given["timestep"], given["encoder_hidden_states"]).sample
        return {"noise_pred": y}
    if component == "vae_encoder":
        return {"moments": model.encode(given["image"]).latent_dist.parameters}
    return {"image": model.decode(given["latents"]).sample}


def inputs(component, config, latent, batch, seed):
    """Seeded inputs: standard normal tensors, a picture within −1…1, uniform token ids."""
    height, width = (int(n) for n in latent.split("x"))
    g = torch.Generator().manual_seed(seed)
    if component == "text_encoder":
        return {"input_ids": torch.randint(0, config.vocab_size, (batch, 77), generator=g)}
    if component == "unet":
        return {"sample": torch.randn(batch, config.in_channels, height, width, generator=g),
                "timestep": torch.full((batch,), 981.0),
                "encoder_hidden_states": torch.randn(batch, 77, config.cross_attention_dim,
                                                     generator=g)}
    if component == "vae_encoder":
        scale = 2 ** (len(config.block_out_channels) - 1)
        return {"image": torch.rand(batch, 3, height * scale, width * scale, generator=g) * 2 - 1}
    return {"latents": torch.randn(batch, config.latent_channels, height, width, generator=g)}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("component", choices=COMPONENTS)
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("--in", dest="given")
    parser.add_argument("--out")
    parser.add_argument("--type", choices=["f32", "bf16"], default="f32")
    parser.add_argument("-t", "--threads", type=int)
    parser.add_argument("--make-inputs", metavar="FILE")
    parser.add_argument("--latent", default="64x64")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    kind, folder = COMPONENTS[args.component]
    if args.make_inputs:
        made = kind.config_class.from_pretrained(args.model, subfolder=folder) \
            if hasattr(kind, "config_class") and kind.config_class \
            else argparse.Namespace(**kind.load_config(args.model, subfolder=folder))
        save_file(inputs(args.component, made, args.latent, args.batch, args.seed), args.make_inputs)
    if not args.out:
        return
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[args.type]
    model = kind.from_pretrained(args.model, subfolder=folder, torch_dtype=dtype).eval()
    given = {k: v.to(dtype) if v.is_floating_point() and k != "timestep" else v
             for k, v in load_file(args.given or args.make_inputs).items()}
    with torch.no_grad():
        made = outputs(args.component, model, given)
    save_file({k: v.float().contiguous() for k, v in made.items()}, args.out)


if __name__ == "__main__":
    main()
