"""What the peers share: arguments, made-up inputs, clocks, and the JSON line that `mosc bench` prints."""
import argparse
import json
import math
import os
import statistics
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")

# The tiny autoencoder, diffusers' `AutoencoderTiny`, lies beside the other networks where there is one.
FOLDERS = {"unet": "unet", "vae_decoder": "vae", "text_encoder": "text_encoder", "taesd_decoder": "taesd"}


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("part", choices=FOLDERS)
    parser.add_argument("-m", "--model", required=True, help="diffusers folder")
    parser.add_argument("--latent", default="64x64", help="height x width of the latents")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--type", choices=["f32", "bf16", "int8"], default="f32")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("-t", "--threads", type=int, default=os.cpu_count())
    return parser


def inputs(part, config, latent, batch):
    """Seeded inputs, numpy arrays, in the order in which the networks take them."""
    import numpy as np
    random = np.random.default_rng(7)
    height, width = (int(n) for n in latent.split("x"))

    def normal(*shape):
        return random.standard_normal(shape, dtype=np.float32)

    if part == "unet":
        return [normal(batch, config["in_channels"], height, width), np.array([500], np.int64),
                normal(batch, 77, config["cross_attention_dim"])]
    if part in ("vae_decoder", "taesd_decoder"):
        return [normal(batch, config["latent_channels"], height, width)]
    return [random.integers(0, config["vocab_size"] - 2, (batch, 77), dtype=np.int64)]


def configuration(model, part):
    with open(os.path.join(model, FOLDERS[part], "config.json")) as f:
        return json.load(f)


def seconds_since_start():
    """Seconds since the kernel started this process (10 ms steps)."""
    with open("/proc/self/stat") as f:
        ticks = int(f.read().rsplit(")", 1)[1].split()[19])
    with open("/proc/uptime") as f:
        return float(f.read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def peak_rss_gib():
    with open("/proc/self/status") as f:
        kilobytes = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
    return kilobytes / 2**20


def report(args, engine, version, run, load_s, compile_s):
    """Runs once uncounted, then `--runs` times, and prints the line.

    `run` returns a number that the whole result went into. `cores_used` is processor time over wall
    time of the counted runs; `cold_s` is process start to the end of the first run.
    """
    run()
    cold = seconds_since_start()
    times, processor = [], time.process_time()
    for _ in range(args.runs):
        start = time.perf_counter()
        value = run()
        times.append(time.perf_counter() - start)
    processor = time.process_time() - processor
    if not math.isfinite(value):
        raise SystemExit(f"{engine}: the result is not finite")
    print(json.dumps({
        "engine": engine, "version": version, "part": args.part, "precision": args.type,
        "latent": args.latent, "batch": args.batch, "threads": args.threads,
        "s_median": round(statistics.median(times), 4), "s_min": round(min(times), 4),
        "s_all": [round(t, 4) for t in times], "cores_used": round(processor / sum(times), 2),
        "peak_rss_gib": round(peak_rss_gib(), 2), "load_s": round(load_s, 2),
        "compile_s": round(compile_s, 2), "cold_s": round(cold, 2)}), flush=True)
