"""Renders captioned pictures for the judge, and what its training starts from.

    python tools/base/judge.py pictures OUT --count 20000 --seed 31
    python tools/base/judge.py pictures OUT --count 512 --seed 32 --clean
    python tools/base/judge.py confusion OUT --each 16 --seed 33
    python tools/base/judge.py start PICTURES OUT

OUT/NNNNNN.png has 64x64 pixels, shrunk from 128x128; OUT/NNNNNN.txt says what it shows, and OUT/NNNNNN.json
what it does not show, by the kind of the mistake. All things of glyphs.tsv occur under their own names. Half
of the pictures are blurred, noisy or coarse, so that drawn pictures are not judged by their finish; --clean
leaves that out. `confusion` draws the things that the embedded model never saw, alone, each with its class as
the mistake. `start` writes configuration and tokenizer for `mosc pretrain --stage judge --config OUT`.
"""
import argparse
import json
import multiprocessing
import pathlib
import random
import re

import numpy as np
from PIL import Image, ImageFilter

import scenes
import vocabulary

SIDE = 64
DRAWN = 128
THINGS = scenes.OBJECTS + scenes.RESERVE + scenes.HELD_OUT
# The thing that each one is most easily taken for.
CLASSES = {
    "poodle": "dog", "parrot": "bird", "teddy": "bear", "dragon": "frog", "guitar": "rocket",
    "teapot": "pumpkin", "clown": "robot", "unicorn": "llama", "santa": "clown", "raccoon": "panda",
    "llama": "unicorn", "volcano": "rocket", "flamingo": "bird", "sauropod": "dragon",
    "blue heart": "red heart", "green apple": "apple", "blue car": "car", "tiger": "lion", "lion": "tiger",
    "alien": "ghost", "mushroom": "strawberry", "sunflower": "star",
}
PREFIXES = ["a picture of ", "photo of ", "a photo of ", "a photo depicts "]
LEFT, RIGHT = " on the left", " on the right"


def near(word):
    """What a word is most easily taken for, if the judge knows it."""
    other = CLASSES.get(word)
    return other if other in THINGS else None


def replaced(caption, word, other):
    """The caption with another thing, its article set right."""
    return re.sub(
        rf"\ban? ((?:big |small )?){re.escape(word)}\b",
        lambda found: scenes.article(found.group(1) + other), caption, count=1)


def mistakes(caption, words, kind, r):
    """Captions that are wrong about one thing, by its kind."""
    wrong = {}
    if LEFT in caption or RIGHT in caption:
        wrong["sides"] = (
            caption.replace(LEFT, " <>").replace(RIGHT, LEFT).replace(" <>", RIGHT))
    if words:
        word = r.choice(words)
        other = near(word) if r.random() < 0.4 else None
        if other is None or other in words:
            other = r.choice([thing for thing in THINGS if thing not in words])
        text = replaced(caption, word, other)
        if text != caption:
            wrong["thing"] = text
    if scenes.where(kind) in caption:
        other = r.choice([name for name in scenes.KINDS if name != kind])
        wrong["background"] = caption.replace(scenes.where(kind), scenes.where(other))
    return wrong


def worse(picture, r):
    """The picture blurred, coarse, noisy or of other brightness."""
    if r.random() < 0.4:
        picture = picture.filter(ImageFilter.GaussianBlur(r.uniform(0.3, 1.1)))
    if r.random() < 0.3:
        side = r.randrange(30, 52)
        picture = picture.resize((side, side), Image.BILINEAR).resize((SIDE, SIDE), Image.BICUBIC)
    a = np.asarray(picture, np.float32)
    if r.random() < 0.5:
        noise = np.random.default_rng(r.getrandbits(32))
        a = a + noise.normal(0, r.uniform(2, 12), a.shape)
    if r.random() < 0.5:
        a = (a - 128) * r.uniform(0.8, 1.15) + 128 + r.uniform(-14, 14)
    return Image.fromarray(np.clip(a, 0, 255).astype(np.uint8))


def draw(job):
    out, index, seed, clean = job
    r = random.Random(f"{seed} {index}")
    kind = r.choice(list(scenes.SCENES)) if r.random() < 0.55 else r.choice(list(scenes.COLOURS))
    scene = scenes.Scene(scenes.background(kind, DRAWN, DRAWN, r))
    count = r.choices([0, 1, 2], [0.03, 0.42, 0.55])[0]
    words = r.sample(THINGS, count)
    tail = ", " + scenes.where(kind) if r.random() < 0.88 else ""
    if count == 0:
        caption = kind if kind in scenes.SCENES else f"{scenes.article(kind)} background"
    elif count == 1:
        caption = scenes.one(scene, words[0], words[0], r) + tail
    else:
        said = scenes.two(scene, words, [scenes.article(word) for word in words], r)
        if said == "two things":
            words = []
        caption = said + tail
    if r.random() < 0.2:
        caption = r.choice(PREFIXES) + caption
    picture = scene.picture.resize((SIDE, SIDE), Image.LANCZOS)
    if not clean and r.random() < 0.55:
        picture = worse(picture, r)
    write(out, index, picture, caption, mistakes(caption, words, kind, r))


def write(out, index, picture, caption, wrong):
    picture.save(out / f"{index:06d}.png", compress_level=1)
    (out / f"{index:06d}.txt").write_text(caption + "\n", encoding="utf-8")
    (out / f"{index:06d}.json").write_text(json.dumps({"wrong": wrong}) + "\n", encoding="utf-8")


def pictures(options):
    options.out.mkdir(parents=True, exist_ok=True)
    jobs = [(options.out, index, options.seed, options.clean) for index in range(options.count)]
    with multiprocessing.Pool(options.processes) as pool:
        for _ in pool.imap_unordered(draw, jobs, 64):
            pass
    print(f"{len(jobs)} pictures in {options.out}")


def confusion(options):
    options.out.mkdir(parents=True, exist_ok=True)
    pairs = [(word, near(word)) for word in CLASSES if near(word)]
    pairs += [(other, word) for word, other in pairs if (other, word) not in pairs]
    index = 0
    for word, other in pairs:
        for number in range(options.each):
            r = random.Random(f"{options.seed} {word} {other} {number}")
            kind = r.choice(scenes.KINDS)
            scene = scenes.Scene(scenes.background(kind, DRAWN, DRAWN, r))
            caption = f"{scenes.one(scene, word, word, r)}, {scenes.where(kind)}"
            picture = scene.picture.resize((SIDE, SIDE), Image.LANCZOS)
            write(options.out, index, picture, caption,
                  {f"{word} taken for {other}": replaced(caption, word, other)})
            index += 1
    print(f"{index} pictures in {options.out}")


WIDTH, POSITIONS, PATCH = 128, 32, 8


def start(options):
    entries = vocabulary.main(options.pictures, options.out, length=POSITIONS)
    layers = {"hidden_act": "quick_gelu", "hidden_size": WIDTH, "intermediate_size": 2 * WIDTH,
              "layer_norm_eps": 1e-5, "num_attention_heads": 4, "projection_dim": WIDTH}
    config = {
        "architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": WIDTH,
        "logit_scale_init_value": 2.6592,
        "text_config": {
            **layers, "model_type": "clip_text_model", "num_hidden_layers": 2,
            "max_position_embeddings": POSITIONS, "vocab_size": entries,
            "bos_token_id": entries - 2, "eos_token_id": entries - 1, "pad_token_id": entries - 1},
        "vision_config": {
            **layers, "model_type": "clip_vision_model", "num_hidden_layers": 4, "image_size": SIDE,
            "patch_size": PATCH, "num_channels": 3}}
    half = [0.5, 0.5, 0.5]
    transform = {
        "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": SIDE},
        "resample": 3, "do_center_crop": True, "crop_size": {"height": SIDE, "width": SIDE},
        "do_convert_rgb": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
        "image_mean": half, "image_std": half}
    for name, content in [("config.json", config), ("preprocessor_config.json", transform)]:
        (options.out / name).write_text(json.dumps(content, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    for run in (pictures, confusion):
        command = commands.add_parser(run.__name__)
        command.set_defaults(run=run)
        command.add_argument("out", type=pathlib.Path)
        command.add_argument("--seed", type=int, default=31)
    commands.choices["pictures"].add_argument("--count", type=int, default=20000)
    commands.choices["pictures"].add_argument("--clean", action="store_true")
    commands.choices["pictures"].add_argument("--processes", type=int)
    commands.choices["confusion"].add_argument("--each", type=int, default=16)
    command = commands.add_parser("start")
    command.set_defaults(run=start)
    command.add_argument("pictures", type=pathlib.Path)
    command.add_argument("out", type=pathlib.Path)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
