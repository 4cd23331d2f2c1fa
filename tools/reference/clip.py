"""Remakes Tests/Goldens/clip: a tiny CLIP model with random weights, what it makes of inputs, and what becomes
of pictures before it sees them.

    python tools/reference/clip.py Tests/Goldens/clip
"""
import hashlib
import json
import pathlib
import sys

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
torch.manual_seed(11)


def bytes_to_unicode():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(len(others))]


# A tokenizer of bytes with two merges.
merges = ["c a", "ca t</w>"]
single = bytes_to_unicode()
entries = (single + [s + "</w>" for s in single] + [m.replace(" ", "") for m in merges]
           + ["<|startoftext|>", "<|endoftext|>"])
(folder / "vocab.json").write_text(
    json.dumps({e: i for i, e in enumerate(entries)}, ensure_ascii=False))
(folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
end = "<|endoftext|>"
special = {"bos_token": "<|startoftext|>", "eos_token": end, "pad_token": end, "unk_token": end}
(folder / "tokenizer_config.json").write_text(
    json.dumps({**special, "model_max_length": 14, "tokenizer_class": "CLIPTokenizer"}, indent=1))

side, positions, count = 24, 14, len(entries)
shared = dict(intermediate_size=40, num_hidden_layers=2, projection_dim=12)
config = CLIPConfig(
    text_config=dict(
        shared, hidden_size=16, num_attention_heads=2, vocab_size=count,
        max_position_embeddings=positions, bos_token_id=count - 2, eos_token_id=count - 1,
        pad_token_id=count - 1),
    vision_config=dict(
        shared, hidden_size=24, num_attention_heads=3, image_size=side, patch_size=6),
    projection_dim=12)
model = CLIPModel(config).eval()
with torch.no_grad():
    for parameter in model.parameters():
        # Biases and norms too, and large enough to matter.
        if parameter.ndim:
            parameter.add_(0.2 * torch.randn_like(parameter))
model.save_pretrained(folder, safe_serialization=True)
mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
(folder / "preprocessor_config.json").write_text(json.dumps(
    {"size": {"shortest_edge": side}, "crop_size": {"height": side, "width": side}, "resample": 3,
     "image_mean": mean, "image_std": std}, indent=1))

image = torch.randn(3, 3, side, side)
ids = torch.randint(0, count - 2, (3, positions))
ids[:, 0] = count - 2
for row, length in enumerate([4, 9, 14]):
    ids[row, length - 1:] = count - 1
with torch.no_grad():
    vision = model.visual_projection(model.vision_model(pixel_values=image).pooler_output)
    text = model.text_projection(model.text_model(input_ids=ids).pooler_output)
output = model(input_ids=ids, pixel_values=image, return_loss=True)
output.loss.backward()
gradients = {f"grad.{name}": parameter.grad.reshape(parameter.shape or [1])
             for name, parameter in model.named_parameters()
             if name.endswith(("projection.weight", "class_embedding", "patch_embedding.weight", "logit_scale",
                               "layers.1.self_attn.q_proj.weight", "final_layer_norm.bias"))}
save_file(
    {"image": image, "ids": ids.int(), "image_features": vision, "text_features": text,
     "loss": output.loss.detach().reshape(1), **gradients},
    folder / "features.safetensors",
    metadata={"transformers": transformers.__version__, "torch": torch.__version__})

# The steps of CLIP's own transform: shorter edge, middle, scale.
cases = []
source = Image.open(folder.parent / "pillow" / "source.png").convert("RGB")
for name, picture in [
        ("as it is", source), ("wide", source.crop((0, 3, 37, 12))), ("tall", source.crop((5, 0, 16, 29))),
        ("small", source.resize((9, 10), Image.Resampling.NEAREST)), ("square", source.crop((0, 0, 29, 29)))]:
    w, h = picture.size
    size = (side, int(side * h / w)) if w <= h else (int(side * w / h), side)
    resized = picture.resize(size, Image.Resampling.BICUBIC)
    left, top = (int(round((extent - side) / 2)) for extent in size)
    cropped = resized.crop((left, top, left + side, top + side))
    values = (np.asarray(cropped, np.float32) / 255 - np.array(mean, np.float32)) / np.array(std, np.float32)
    cases.append({
        "name": name, "box": [0, 3, 37, 12] if name == "wide" else [5, 0, 16, 29] if name == "tall"
        else [0, 0, 29, 29] if name == "square" else [0, 0, 37, 29],
        "nearest": [9, 10] if name == "small" else None,
        "sha256": hashlib.sha256(cropped.tobytes()).hexdigest(),
        "values": [float(v) for v in values.reshape(-1)[:6]]})
(folder / "pictures.json").write_text(json.dumps({"side": side, "cases": cases}, indent=1) + "\n")
