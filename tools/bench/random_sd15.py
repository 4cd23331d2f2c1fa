#!/usr/bin/env python3
"""Makes a full-size Stable Diffusion 1.5 with seeded random weights, as a diffusers folder.

  random_sd15.py OUT [--bf16] [--seed 1234]

Speed and memory do not depend on what the weights are; agreement with a reference can be checked with
any. The tokenizer is that of Tests/Goldens (the CLIP vocabulary). 4.3 GB, with --bf16 6.4 GB.
"""
import argparse
import json
import pathlib
import shutil

import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

TOKENIZER = pathlib.Path(__file__).resolve().parents[2] / "Tests/Goldens/mix-of-show/base/tokenizer"


def text_encoder():
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
        num_attention_heads=12, max_position_embeddings=77, hidden_act="quick_gelu",
        projection_dim=768, bos_token_id=49406, eos_token_id=49407, pad_token_id=1))


def vae():
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
        sample_size=512, scaling_factor=0.18215)


def unet():  # the defaults of diffusers are those of Stable Diffusion 1, but for these
    return UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--bf16", action="store_true", help="also bf16 weights, beside the others")
    parser.add_argument("--seed", type=int, default=1234)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    for make in (text_encoder, vae, unet):
        model, folder = make().eval(), args.out / make.__name__
        model.save_pretrained(folder, max_shard_size="20GB")
        print(make.__name__, sum(p.numel() for p in model.parameters()), "parameters", flush=True)
        if args.bf16:
            kept = (folder / "config.json").read_text()
            model.to(torch.bfloat16).save_pretrained(folder, variant="bf16", max_shard_size="20GB")
            (folder / "config.json").write_text(kept)  # saving notes the narrow type there
    PNDMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                  set_alpha_to_one=False, skip_prk_steps=True,
                  steps_offset=1).save_pretrained(args.out / "scheduler")
    shutil.copytree(TOKENIZER, args.out / "tokenizer", dirs_exist_ok=True)
    index = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.42.1",
             "feature_extractor": [None, None], "requires_safety_checker": False,
             "safety_checker": [None, None], "scheduler": ["diffusers", "PNDMScheduler"],
             "text_encoder": ["transformers", "CLIPTextModel"],
             "tokenizer": ["transformers", "CLIPTokenizer"],
             "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    (args.out / "model_index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
