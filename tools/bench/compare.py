#!/usr/bin/env python3
"""Times mosc and its peers in turn, in one run, and prints a table of medians and ratios.

  compare.py -m MODEL [--part unet] [--latent 64x64] [--batch 2] [--types f32,bf16] [--runs 5]
             [--rounds 2] [--engines mosc,openvino,torch] [--cold] [--json results.jsonl]

Each engine is a process of its own; a round runs every engine once. README.md says how to read it.
"""
import argparse
import collections
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
MOSC = HERE.parents[1] / ".build" / "release" / "mosc"


def main():
    args = arguments()
    lines, failures = [], 0
    if "openvino" in args.engines.split(","):
        for precision in sorted({"int8" if p == "int8" else "f32" for p in args.types.split(",")}):
            converted = subprocess.run(command("openvino", precision, args) + ["--convert"],
                                       capture_output=True, text=True)
            if converted.returncode:
                sys.exit(f"conversion for OpenVINO failed:\n{converted.stderr[-2000:]}")
    with tempfile.TemporaryDirectory(prefix="mosc-bench-") as folder:
        environment = dict(os.environ, **({"MOSC_CACHE": folder} if args.cold else {}))
        for number in range(args.rounds):
            for precision in args.types.split(","):
                for engine in args.engines.split(","):
                    if engine == "torch" and precision == "int8":
                        continue
                    line = measured(command(engine, precision, args), environment, args.timeout)
                    if line is None:
                        failures += 1
                        continue
                    line.update(engine=engine, precision=precision, round=number + 1)
                    lines.append(line)
                    print(f"round {number + 1}: {engine} {precision} {line['s_median']} s",
                          file=sys.stderr, flush=True)
                    if args.json:
                        with open(args.json, "a") as f:
                            f.write(json.dumps(line) + "\n")
    if not lines:
        sys.exit(1)
    print(f"{args.part}, latents {args.latent}, batch {args.batch}, {args.threads} threads, "
          f"{args.runs} runs x {args.rounds} rounds\n")
    print(table(lines, args.threads))
    sys.exit(1 if failures else 0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model", required=True, help="diffusers folder")
    parser.add_argument("--part", default="unet", choices=["unet", "vae_decoder", "text_encoder"])
    parser.add_argument("--latent", default="64x64")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--types", default="f32,bf16")
    parser.add_argument("--engines", default="mosc,openvino,torch")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--cold", action="store_true",
                        help="mosc starts with an empty cache in the first round")
    parser.add_argument("-t", "--threads", type=int, default=os.cpu_count())
    parser.add_argument("--mosc", default=str(MOSC), help="default: .build/release/mosc")
    parser.add_argument("--mosc-args", default="", help="more arguments for mosc")
    parser.add_argument("--python-torch", default=os.environ.get("BENCH_PYTHON", sys.executable))
    parser.add_argument("--python-openvino",
                        default=os.environ.get("BENCH_PYTHON_OPENVINO", sys.executable))
    parser.add_argument("--ir", help="folder of OpenVINO's converted networks")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds per process")
    parser.add_argument("--json", help="file that every line is added to")
    args = parser.parse_args()
    unknown = set(args.engines.split(",")) - {"mosc", "openvino", "torch"}
    if unknown:
        parser.error(f"no engine {', '.join(sorted(unknown))}: expected mosc, openvino, torch")
    if not os.path.isdir(args.model):
        parser.error(f"--model {args.model}: no such folder")
    if set(args.types.split(",")) - {"f32", "bf16", "int8"}:
        parser.error(f"--types {args.types}: expected some of f32, bf16, int8")
    return args


def command(engine, precision, args):
    shape = ["-m", args.model, "--latent", args.latent, "--batch", str(args.batch), "--type",
             precision, "--runs", str(args.runs), "-t", str(args.threads)]
    if engine == "mosc":
        return [args.mosc, "bench", args.part, *shape, "--json", *args.mosc_args.split()]
    if engine == "torch":
        return [args.python_torch, str(HERE / "peer_torch.py"), args.part, *shape]
    ir = ["--ir", args.ir] if args.ir else []
    return [args.python_openvino, str(HERE / "peer_openvino.py"), args.part, *shape, *ir]


def measured(words, environment, timeout):
    """The JSON line of a process, with its peak memory as the kernel counts it; None if it failed."""
    try:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env=environment)
    except OSError as error:
        print(f"{words[0]}: {error.strerror}", file=sys.stderr)
        return None
    errors = collections.deque(maxlen=5)
    drain = threading.Thread(target=lambda: errors.extend(process.stderr))
    watch = threading.Timer(timeout, process.kill)
    drain.start()
    watch.start()
    last = ""
    for text in process.stdout:
        last = text if text.startswith("{") else last
    _, status, usage = os.wait4(process.pid, 0)
    watch.cancel()
    drain.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not last:
        print(f"{' '.join(words)}: exit {process.returncode}\n    " + "    ".join(errors),
              file=sys.stderr, flush=True)
        return None
    return {**json.loads(last), "peak_rss_gib": round(usage.ru_maxrss / 2**20, 2)}


def table(lines, threads):
    groups = {}
    for line in lines:
        groups.setdefault((line["precision"], line["engine"]), []).append(line)
    medians = {key: statistics.median(t for line in group for t in line["s_all"])
               for key, group in groups.items()}
    rows = [["engine", "type", "s median", "s min", "mosc's speed to it", "first result s",
             "compile s", "load s", "peak RSS GiB", "cores"]]
    busy = False
    for key in sorted(groups, key=lambda k: (k[0] != "f32", medians[k])):
        precision, engine = key
        group = groups[key]
        ours = medians.get((precision, "mosc"))
        cores = [line["cores_used"] for line in group if "cores_used" in line]
        shared = bool(cores) and min(cores) < 0.92 * threads
        busy |= shared
        rows.append([
            engine, precision, f"{medians[key]:.3f}",
            f"{min(t for line in group for t in line['s_all']):.3f}",
            f"{medians[key] / ours:.2f}" if ours else "-", each(group, "cold_s"),
            each(group, "compile_s"), each(group, "load_s"),
            f"{max(line['peak_rss_gib'] for line in group):.2f}",
            (f"{min(cores):.2f}" if cores else "-") + ("*" if shared else "")])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    rows.insert(1, ["-" * width for width in widths])
    text = "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(row, widths)) + " |"
                     for row in rows)
    return text + ("\n\n* something else had the machine in part: not comparable" if busy else "")


def each(group, key):
    """A figure of every round, in order."""
    return " / ".join(f"{line[key]:.1f}" if key in line else "-" for line in group)


if __name__ == "__main__":
    main()
