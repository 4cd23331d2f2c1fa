"""Remakes Tests/Goldens/adapters: one small file of each family of adapters, and what the U-Net gives with it.

    python tools/reference/adapters.py FOLDER

Needs `pip install --no-deps lycoris-lora==4.1.3` beside requirements.txt. Every change is LyCORIS' or PEFT's own:
their modules are made for some layers of the base model, filled with random numbers, saved by their own code, and
run in place of the layers.
"""
import copy
import json
import pathlib
import sys

import peft
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

import golden
from lycoris.modules.boft import ButterflyOFTModule
from lycoris.modules.diag_oft import DiagOFTModule
from lycoris.modules.full import FullModule
from lycoris.modules.ia3 import IA3Module
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from lycoris.modules.norms import NormModule

LINEAR = ["down_blocks.0.attentions.0.transformer_blocks.0.ff.net.2",
          "up_blocks.3.attentions.2.transformer_blocks.0.attn2.to_v"]
# A kernel, a step of two, one after an enlargement, one of 1x1.
CONVOLUTION = ["down_blocks.0.resnets.0.conv1", "down_blocks.0.downsamplers.0.conv",
               "up_blocks.2.upsamplers.0.conv", "mid_block.attentions.0.proj_in"]
LAYERS = LINEAR + CONVOLUTION
NORMS = ["up_blocks.3.resnets.2.norm2"]

LYCORIS = {
    "locon": (LoConModule, LAYERS, {"lora_dim": 3, "alpha": 1.5}),
    "locon_tucker": (LoConModule, CONVOLUTION[:2], {"lora_dim": 3, "alpha": 2, "use_tucker": True}),
    "locon_root": (LoConModule, LINEAR, {"lora_dim": 4, "alpha": 2, "rs_lora": True}),
    "loha": (LohaModule, LAYERS[:4], {"lora_dim": 2, "alpha": 1}),
    "loha_wide": (LohaModule, LINEAR, {"lora_dim": 9, "alpha": 3}),
    "loha_tucker": (LohaModule, CONVOLUTION[:2], {"lora_dim": 2, "alpha": 1, "use_tucker": True}),
    "lokr": (LokrModule, LAYERS, {"lora_dim": 2, "alpha": 1, "factor": 4}),
    "lokr_full": (LokrModule, LAYERS[:3], {"lora_dim": 2, "alpha": 1, "factor": 4, "full_matrix": True}),
    "lokr_both": (LokrModule, LINEAR, {"lora_dim": 2, "alpha": 1, "factor": 8, "decompose_both": True}),
    "lokr_tucker": (LokrModule, CONVOLUTION[:2],
                    {"lora_dim": 2, "alpha": 1, "factor": 4, "use_tucker": True}),
    "dora_rows": (LoConModule, LAYERS[:4],
                  {"lora_dim": 2, "alpha": 1, "weight_decompose": True, "wd_on_out": True}),
    "dora_columns": (LoConModule, LAYERS[:4],
                     {"lora_dim": 2, "alpha": 1, "weight_decompose": True, "wd_on_out": False}),
    "dora_loha": (LohaModule, LINEAR,
                  {"lora_dim": 2, "alpha": 1, "weight_decompose": True, "wd_on_out": True}),
    "ia3": (IA3Module, LAYERS[:4], {}),
    "ia3_inputs": (IA3Module, LAYERS[:4], {"train_on_input": True}),
    "full": (FullModule, LINEAR[:1] + ["mid_block.attentions.0.proj_in", "conv_out"], {}),
    "norms": (NormModule, NORMS, {}),
    "oft": (DiagOFTModule, LAYERS[:4], {"lora_dim": 4, "constraint": 0}),
    "oft_limited": (DiagOFTModule, LINEAR, {"lora_dim": 8, "constraint": 0.01, "rescaled": True}),
    "boft": (ButterflyOFTModule, LAYERS[:4], {"lora_dim": 4, "constraint": 0}),
    "boft_rescaled": (ButterflyOFTModule, LINEAR, {"lora_dim": 8, "constraint": 0, "rescaled": True}),
}

PEFT = {
    "peft_lora": peft.LoraConfig(
        r=4, lora_alpha=6, target_modules=LINEAR, init_lora_weights=False, use_rslora=True,
        rank_pattern={LINEAR[1]: 2}, alpha_pattern={r"attn2.to_v": 3}),
    "peft_dora": peft.LoraConfig(
        r=2, lora_alpha=3, target_modules=LAYERS[:3], init_lora_weights=False, use_dora=True),
    "peft_loha": peft.LoHaConfig(r=2, alpha=3, target_modules=LAYERS[:3], init_weights=False),
    "peft_lokr": peft.LoKrConfig(
        r=2, alpha=3, target_modules=LINEAR, init_weights=False, decompose_factor=4),
    "peft_ia3": peft.IA3Config(
        target_modules=LINEAR, feedforward_modules=LINEAR[1:], init_ia3_weights=False),
}


def fill(tensors, generator):
    for name, tensor in sorted(tensors):
        noise = torch.randn(tensor.shape, generator=generator)
        if "dora_scale" in name or "magnitude" in name or name.endswith("rescale"):
            tensor.mul_(1 + 0.2 * noise)
        elif "ia3_l" in name:
            tensor.copy_(1 + 0.3 * noise)
        else:
            tensor.copy_((0.8 if "hada" in name or "lokr" in name else 0.3) * noise)


def lycoris_case(unet, name):
    make, layers, options = LYCORIS[name]
    generator = torch.Generator().manual_seed(len(name) * 1000 + sum(map(ord, name)))
    changed, tensors = copy.deepcopy(unet), {}
    for path in layers:
        key = "lora_unet_" + path.replace(".", "_")
        layer = changed.get_submodule(path)
        module = make(key, layer, 1.0, **options).eval()
        # As in training: merging is not the same everywhere (LoHa's counts its scale twice).
        module.apply_to()
        own = [(k, v) for k, v in module.named_parameters() if "org" not in k]
        if make is FullModule:
            for _, value in sorted(own):
                value.add_(0.1 * torch.randn(value.shape, generator=generator))
        else:
            fill(own, generator)
        if hasattr(module, "custom_state_dict"):
            state = module.custom_state_dict() or module.state_dict()
        else:
            state = module.state_dict()
        tensors.update({f"{key}.{k}": v.clone().contiguous() for k, v in state.items() if "org" not in k})
    return changed, tensors


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    unet = UNet2DConditionModel.from_pretrained(golden.BASE / "unet").eval()
    inputs = golden.Golden("diffusers/lora_expected.safetensors").tensors
    x, t, context = inputs["x"][:1], inputs["t"][:1], inputs["context"][:1]

    def result(model):
        return model(x, t, context).sample.clone()

    results = {"x": x, "t": t, "context": context, "base": result(unet)}
    for name in LYCORIS:
        changed, tensors = lycoris_case(unet, name)
        save_file(tensors, folder / f"{name}.safetensors")
        results[name] = result(changed)
    for name, config in PEFT.items():
        generator = torch.Generator().manual_seed(sum(map(ord, name)))
        model = peft.get_peft_model(copy.deepcopy(unet), config)
        own = [(k, v) for k, v in model.named_parameters()
               if any(mark in k for mark in ("lora_", "hada_", "lokr_", "ia3_"))]
        fill(own, generator)
        model.save_pretrained(folder / name)
        (folder / name / "README.md").unlink(missing_ok=True)
        results[name] = result(model.eval())
    save_file({k: v.contiguous() for k, v in results.items()}, folder / "expected.safetensors")
    for name, value in results.items():
        if value.shape == results["base"].shape:
            print(f"{name:14s} {(value - results['base']).norm() / results['base'].norm():.3f}")


main()
