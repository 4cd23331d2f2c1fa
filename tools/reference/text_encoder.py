"""Token ids and text-encoder states of the base model.

The prompts are those of the stored file; add one to MORE to extend it (rows are only appended).
"""
import json

from transformers import CLIPTextModel, CLIPTokenizer

import golden

MORE = []


def make():
    old = golden.Golden("diffusers/text.safetensors")
    prompts = old.settings["prompts"] + MORE
    tokenizer = CLIPTokenizer.from_pretrained(golden.BASE / "tokenizer")
    ids = tokenizer(prompts, padding="max_length", max_length=77, truncation=True,
                    return_tensors="pt").input_ids
    model = CLIPTextModel.from_pretrained(golden.BASE / "text_encoder").eval()
    out = model(ids, output_hidden_states=True)
    norm = next(m for n, m in model.named_modules() if n.endswith("final_layer_norm"))
    tensors = {"ids": ids, "last_hidden_state": out.last_hidden_state,
               "clip_skip2": norm(out.hidden_states[-2])}
    yield old, tensors, {"prompts": prompts}


def tokens():
    """Remade token ids per string, with begin and end: (new list, stored list)."""
    stored = json.loads((golden.ROOT / "diffusers" / "tokens.json").read_text())
    tokenizer = CLIPTokenizer.from_pretrained(golden.BASE / "tokenizer")
    return [dict(e, ids=tokenizer(e["text"]).input_ids) for e in stored], stored
