#!/usr/bin/env python3
"""Draws one picture with OpenVINO, from process start to the PNG; prints one JSON line.

    picture_openvino.py -m MODEL [--ir FOLDER] [--size 512x512] [--steps 20] [--type bf16] -o FILE.png
    picture_openvino.py -m MODEL --steps 4 --few -o FILE.png

Compare with `mosc sample -m MODEL --steps 20 --type bf16 -o FILE.png` by the clock of the shell, and
`--few` with `--steps 4 --sampler lcm --cfg-scale 1 --taesd MODEL/taesd`. The networks are those that
`compare.py` converts (`peer_openvino.py taesd_decoder --convert` for the tiny decoder); compiled ones are
cached in FOLDER/cache, so the second run is a warm one. The text encoder, a guided deterministic DDIM
loop, or with `--few` a loop of latent consistency without guidance, and the decoder run; words become
numbers by a fixed rule instead of the tokeniser, which is in OpenVINO's favour.
"""
import argparse
import json
import os
import zlib

import measure


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("--ir")
    parser.add_argument("--size", default="512x512")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--few", action="store_true",
                        help="steps of latent consistency without guidance, and the tiny decoder")
    parser.add_argument("--type", default="bf16", choices=["f32", "bf16"])
    parser.add_argument("-t", "--threads", type=int, default=os.cpu_count())
    parser.add_argument("-p", "--prompt", default="a dog on grass")
    parser.add_argument("-o", "--output", required=True)
    args = parser.parse_args()

    import numpy as np
    import openvino
    folder = args.ir or args.model.rstrip("/") + "-openvino"
    core = openvino.Core()
    core.set_property({"CACHE_DIR": os.path.join(folder, "cache")})
    width, height = (int(n) // 8 for n in args.size.split("x"))

    def network(part, *shapes):
        model = core.read_model(os.path.join(folder, f"{part}.xml"))
        model.reshape({port: shape for port, shape in zip(model.inputs, shapes)})
        request = core.compile_model(model, "CPU", {
            "INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": args.type}).create_infer_request()
        return lambda *given: request.infer(list(given))[0].copy()

    words = [zlib.crc32(word.encode()) % 49000 for word in args.prompt.split()]
    batch = 1 if args.few else 2
    ids = np.full((batch, 77), 49407, np.int64)
    ids[:, 0] = 49406
    ids[-1, 1:1 + len(words)] = words
    states = network("text_encoder", [batch, 77])(ids)

    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    alphas = np.cumprod(1 - betas)
    unet = network("unet", [batch, 4, height, width], [1], [batch, 77, states.shape[-1]])
    random = np.random.default_rng(0)
    x = random.standard_normal((1, 4, height, width)).astype(np.float32)
    times = np.arange(args.steps)[::-1] * (1000 // args.steps) + 1
    first = measure.seconds_since_start()
    for time in times if args.few else ():
        noise = unet(x, np.array([time], np.int64), states)
        before = time - 1000 // args.steps
        a, b = alphas[time], alphas[before] if before >= 0 else 1
        # Luo et al. 2023, equations 9 and 10: the boundary weights of c(x, t), then noise of the next time.
        skip, out = 0.25 / ((10 * time) ** 2 + 0.25), 10 * time / np.sqrt((10 * time) ** 2 + 0.25)
        clean = skip * x + out * (x - np.sqrt(1 - a) * noise) / np.sqrt(a)
        x = (np.sqrt(b) * clean + np.sqrt(1 - b) * random.standard_normal(x.shape)).astype(np.float32)
    for time in () if args.few else times:
        noise = unet(np.concatenate([x, x]), np.array([time], np.int64), states)
        noise = noise[:1] + 7.5 * (noise[1:] - noise[:1])
        before = time - 1000 // args.steps
        a, b = alphas[time], alphas[before] if before >= 0 else alphas[0]
        clean = (x - np.sqrt(1 - a) * noise) / np.sqrt(a)
        x = (np.sqrt(b) * clean + np.sqrt(1 - b) * noise).astype(np.float32)
    sampled = measure.seconds_since_start()
    # The tiny autoencoder takes latents as they are.
    decode = network("taesd_decoder" if args.few else "vae_decoder", [1, 4, height, width])
    image = decode(x if args.few else x / 0.18215)
    from PIL import Image
    pixels = np.clip(np.nan_to_num(image[0]).transpose(1, 2, 0) * 127.5 + 127.5, 0, 255)
    Image.fromarray(pixels.astype(np.uint8)).save(args.output)
    print(json.dumps({
        "engine": "openvino", "type": args.type, "to_first_step_s": round(first, 2),
        "steps_s": round(sampled - first, 2), "all_s": round(measure.seconds_since_start(), 2),
        "peak_rss_gib": round(measure.peak_rss_gib(), 2)}))


if __name__ == "__main__":
    main()
