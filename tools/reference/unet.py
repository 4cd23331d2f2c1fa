"""UNet outputs of the base model; add a case to MORE to extend them.

Stored per case: `x` [n,4,h,w], `t` [n], `context` [n,tokens,64] and `y`; for case a also
intermediate activations, named after the module that makes them.
"""
import torch
from diffusers import UNet2DConditionModel

import golden

MORE = {}  # "i": {"batch": 1, "h": 8, "w": 8, "t": [10.0], "context": "random"}


def make():
    old = golden.Golden("diffusers/unet.safetensors")
    cases = {**old.settings["cases"], **MORE}
    model = UNet2DConditionModel.from_pretrained(golden.BASE / "unet").eval()
    tensors = {}
    for name, case in cases.items():
        n = case["batch"]
        x = old.input(f"{name}.x", (n, 4, case["h"], case["w"]))
        context = old.input(f"{name}.context", (n, 77, model.config.cross_attention_dim))
        t = torch.tensor(case["t"])
        watched = [k[len(name) + 5:] for k in old.tensors if k.startswith(f"{name}.act.")]
        hooks = [watch(model, path, tensors, f"{name}.act.{path}") for path in watched]
        y = model(x, t, context).sample
        for hook in hooks:
            hook.remove()
        tensors.update({f"{name}.x": x, f"{name}.t": t, f"{name}.context": context, f"{name}.y": y})
    yield old, tensors, {"cases": cases}


def watch(model, path, tensors, key):
    def keep(_module, _args, out):
        tensors[key] = out if isinstance(out, torch.Tensor) else out[0]
    return model.get_submodule(path).register_forward_hook(keep)
