"""What training settings make of concepts, by the judge, as a table in Markdown.

    python tools/bench/settings.py MOSC WORK [--model FOLDER] [--concepts parrot,guitar,teddy] [--scenes 8] [--seeds 2] \\
        --try steps=300 --try steps=300,unet-lr=2e-3 …

Every setting teaches each concept of `tools/base/concepts` with `mosc train`, and what it leaves out is as the model says
(`mosc.json`). Each concept then is drawn in scenes of `fusion.py` and judged by the model that ships with `mosc evaluate`:
image alignment is the mean cosine of pictures and references, `of ceiling` its share of what references have among
each other, `text` the mean cosine of pictures and prompts over that of the class drawn without the concept, and the score is the harmonic mean of both
shares, by which `mosc evaluate` chooses candidates. The table is printed line by line and kept in WORK/table.md; a
setting that WORK has already is not taught again. Nothing but Python's own library is needed.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import time

from fusion import CONCEPTS, SCENES, class_of


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mosc")
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--model")
    parser.add_argument("--concepts", default="parrot,guitar,teddy")
    parser.add_argument("--scenes", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--try", dest="settings", action="append", default=[], metavar="OPTION=VALUE,…")
    options = parser.parse_args()
    names = options.concepts.split(",")
    model = ["-m", options.model] if options.model else []
    options.work.mkdir(parents=True, exist_ok=True)

    prompts = options.work / "prompts.txt"
    prompts.write_text("".join(
        f"a <TOK> {scene}\n" if scene.startswith("with ") else f"a <TOK>, {scene}\n" for scene in SCENES[:options.scenes]))

    def show(line):
        print(line, flush=True)
        with (options.work / "table.md").open("a") as table:
            print(line, file=table)

    def trained(name, setting):
        """The concept's file, and the seconds it took to make, compilation with it."""
        folder = options.work / (setting.replace(",", "_") or "own")
        folder.mkdir(exist_ok=True)
        file, seconds = folder / f"{name}.safetensors", folder / f"{name}.seconds"
        if not seconds.exists():
            given = [word for pair in filter(None, setting.split(",")) for word in option(pair)]
            began = time.monotonic()
            run([options.mosc, "train", "-q", *model, "--data", CONCEPTS / name, "--concept", f"<{name}-1> <{name}-2>",
                 "--init", class_of(name), *given, "-o", file])
            seconds.write_text(f"{time.monotonic() - began:.1f}")
        return file, float(seconds.read_text())

    def judged(name, file):
        printed = run([
            options.mosc, "evaluate", "-q", "--json", *model, "--prompts", prompts, "--seeds", f"0-{options.seeds - 1}",
            "--references", CONCEPTS / name / "images", "--class", class_of(name), "--candidate", file, "--batch-size", "4",
            "--keep", file.parent / name])
        return json.loads(printed)["evaluations"][0]["values"]

    show("| setting | s | " + " | ".join(f"{name}: of ceiling, text" for name in names) + " | score |")
    show("|---|---|" + "---|" * (len(names) + 1))
    for setting in options.settings or [""]:
        cells, scores, times = [], [], []
        for name in names:
            file, seconds = trained(name, setting)
            values = judged(name, file)
            image = values["image_alignment"]["mean"] / values["reference_ceiling"]["mean"]
            text = values["text_alignment"]["relative"]
            cells.append(f"{image:.2f}, {text:.2f}")
            scores.append(2 / (1 / max(image, 1e-3) + 1 / max(text, 1e-3)))
            times.append(seconds)
        show(f"| {setting or 'the model’s own'} | {statistics.mean(times):.0f} | " + " | ".join(cells)
             + f" | {statistics.mean(scores):.3f} |")


def option(pair):
    name, value = pair.split("=")
    return f"--{name}", value


def run(command):
    return subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
