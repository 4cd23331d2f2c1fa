"""How much faster two processes with a thread each are than one: training and pictures.

    tools/bench/random_sd15.py /tmp/sd15 --bf16      # the model, once
    python3 tools/bench/cluster.py -m /tmp/sd15      # on an idle machine with two cores

One run and the other take turns, each is bound to as many cores as it has threads, and the median counts. Training takes
the seconds of a step from the log without the first one; pictures from the first to the last, without what is compiled
and loaded before. Prints the ratio beside what is wanted (training 1.85, pictures 1.9) and, from the bytes of a step,
what 1 Gbit/s would leave of it with 8 processes. Standard library only.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIRE = 110e6  # bytes a second of 1 Gbit/s that TCP leaves


def command(mosc, processes):
    if processes == 1:
        return ["taskset", "-c", "0", mosc]
    return ["mpirun", "--allow-run-as-root", "--bind-to", "core", "-n", str(processes), mosc]


def run(arguments):
    """Runs a command; its messages, each with the seconds since the start."""
    begin = time.monotonic()
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    lines = [(time.monotonic() - begin, line.rstrip()) for line in process.stderr]
    if process.wait() != 0:
        sys.exit("\n".join(line for _, line in lines[-10:]))
    return lines


def train(options, processes, folder):
    """Seconds of a step, and the bytes that a process receives in one."""
    out = Path(folder) / f"{processes}.safetensors"
    data = ROOT / "tools/base/concepts/parrot"
    lines = run(
        command(options.mosc, processes)
        + ["train", "-m", options.model, "--data", str(data / "images"), "--captions", str(data / "captions"), "--concept",
           "<p1> <p2>", "--init", "bird", "--resolution", "256", "--steps", str(options.steps + 1), "--gradient-accumulation",
           "2", "--batch-size", "1", "--variants", "1", "-t", "1", "--overwrite", "-o", str(out)])
    log = [json.loads(line) for line in out.with_suffix(".log.jsonl").read_text().splitlines()]
    received = [int(found[1]) for _, line in lines if (found := re.search(r"receives (\d+) bytes", line))]
    return statistics.median(entry["seconds"] for entry in log[1:]), received[0] if received else 0


def draw(options, processes, folder):
    """Seconds of a picture, from the first that is there to the last."""
    lines = run(
        command(options.mosc, processes)
        + ["sample", "-m", options.model, "-p", "a lighthouse", "-W", "256", "-H", "256", "--steps", str(options.picture_steps),
           "-s", f"1-{2 + 2 * options.pictures}", "-t", "1", "-o", f"{folder}/{processes}-{time.time_ns()}/"])
    done = [seconds for seconds, line in lines if re.search(r"picture \d+ of \d+: seed", line)]
    # The first of each process waits for what is compiled and loaded.
    return (done[-1] - done[1]) / (len(done) - 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("--mosc", default=str(ROOT / ".build/release/mosc"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4, help="steps of training that count")
    parser.add_argument("--pictures", type=int, default=3, help="pairs of pictures that count")
    parser.add_argument("--picture-steps", type=int, default=6)
    options = parser.parse_args()
    found = {("training", 1): [], ("training", 2): [], ("pictures", 1): [], ("pictures", 2): []}
    received = 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for processes in (1, 2):
                seconds, bytes_ = train(options, processes, folder)
                received = max(received, bytes_)
                found["training", processes].append(seconds)
                found["pictures", processes].append(draw(options, processes, folder))
    for kind, wanted in (("training", 1.85), ("pictures", 1.9)):
        one, two = (statistics.median(found[kind, processes]) for processes in (1, 2))
        print(f"{kind}: {one:.2f} s alone, {two:.2f} s by two: {one / two:.2f}x (wanted {wanted})")
    one = statistics.median(found["training", 1]) / 2
    # Of two parts in two processes each receives one; of eight in eight, seven.
    wire = 7 * received / WIRE
    print(f"a part: {one:.2f} s and {received} bytes; 8 processes on 1 Gbit/s: {one / (one + wire):.1%} of the ideal")


if __name__ == "__main__":
    main()
