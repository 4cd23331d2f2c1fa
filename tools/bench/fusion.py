"""How much of each concept every way of fusing keeps, as a table in Markdown.

    python tools/bench/fusion.py MOSC WORK CONCEPT.safetensors CONCEPT.safetensors … [--scenes 16] [--seeds 4] [--ways ridge,weighted]

Each concept is drawn by its own file and by each fused one, from the same prompts and seeds with the embedded
model, and judged by the model that ships with `mosc evaluate`: image alignment is the mean cosine of pictures and
references (`tools/base/concepts/NAME`, the concept's file being NAME.safetensors). Cells are the share of the own file's
alignment that is left, and the interval which holds 95 % of the shares when scenes are drawn anew with replacement, the
own file's and the fused one's together. Below stands what the class word alone gets: that much is no merit. Nothing but
Python's own library is needed.
"""
import argparse
import json
import pathlib
import random
import subprocess

CONCEPTS = pathlib.Path(__file__).resolve().parent.parent / "base" / "concepts"
# None is the scene of a concept alone in the prompts of statistics, below and in the embedded model's mosc.json (fuse.prompts).
SCENES = [
    "on grass", "with a tree", "at night", "on a pink background", "in the snow", "with a cat",
    "on a purple background", "with a ball", "on a blue background", "with a dog", "on a yellow background",
    "with a car", "on a green background", "with a star", "on an orange background", "on a black background"]
# Prompts that serve pictures of one thing best; those of the embedded model also have things on either side.
PLAIN = [
    "a <TOK>, at sunset", "a <TOK>, in the desert", "a <TOK>, on a red background", "a <TOK>, in space", "a <TOK>, in the sea",
    "a <TOK>, on a white background", "a <TOK>, in the forest", "a <TOK> and a house, on grass"]
# Options of `mosc fuse`; PROMPTS is a file of the prompts above.
WAYS = {
    "refined-200": "--prompts PROMPTS --refine 200", "refined": "--prompts PROMPTS", "default": "",
    "ridge": "--prompts PROMPTS --solver ridge --refine 0", "lbfgs": "--prompts PROMPTS --solver lbfgs --refine 0",
    "min-norm": "--prompts PROMPTS --solver min-norm --refine 0",
    "weighted": "--merge weighted", "concat": "--merge concat", "svd": "--merge svd",
    "ties": "--merge ties", "dare": "--merge dare",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mosc")
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("--scenes", type=int, default=len(SCENES))
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--ways", default=",".join(WAYS))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    scenes = SCENES[:options.scenes]
    plain = options.work / "plain.txt"
    plain.write_text("".join(f"{prompt}\n" for prompt in PLAIN))

    def alignments(name, adapter, words):
        """The image alignment of each scene's pictures."""
        prompts = options.work / "prompts.txt"
        subject = f"a {words}" if words else f"a {class_of(name)}"
        # A group for each scene, so that each has a number of its own.
        prompts.write_text("".join(
            f"# {scene}\n{subject} {scene}\n" if scene.startswith("with ") else f"# {scene}\n{subject}, {scene}\n"
            for scene in scenes))
        command = [
            options.mosc, "evaluate", "-q", "--json", "--prompts", prompts, "--seeds", f"0-{options.seeds - 1}",
            "--batch-size", options.seeds, "--references", CONCEPTS / name / "images", "--class", class_of(name)]
        if adapter:
            command += ["--lora", adapter, "--words", words]
        printed = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout
        groups = json.loads(printed)["evaluations"][0]["groups"]
        return [groups[scene]["image_alignment"]["mean"] for scene in scenes]

    names = [file.stem for file in options.files]
    words = {name: f"<{name}-1> <{name}-2>" for name in names}
    own = {name: alignments(name, file, words[name]) for name, file in zip(names, options.files)}
    print("| | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(names))
    print("| its own file: alignment | " + " | ".join(f"{mean(own[name]):.3f}" for name in names) + " |", flush=True)
    for way in options.ways.split(","):
        fused = options.work / f"{way}.safetensors"
        command = [options.mosc, "fuse", "-q", *options.files, "-o", fused]
        command += [plain if word == "PROMPTS" else word for word in WAYS[way].split()]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
        print(f"| {way} | " + " | ".join(
            kept(alignments(name, fused, words[name]), own[name]) for name in names) + " |", flush=True)
    print("| the class alone | " + " | ".join(kept(alignments(name, None, None), own[name]) for name in names) + " |")


def class_of(name):
    return json.loads((CONCEPTS / name / "concept.json").read_text())["class_word"]


def mean(values):
    return sum(values) / len(values)


def kept(fused, own):
    """The share of the own alignment, with its interval over scenes."""
    r = random.Random(1)
    shares = []
    for _ in range(1000):
        drawn = [r.randrange(len(own)) for _ in own]
        shares.append(sum(fused[i] for i in drawn) / sum(own[i] for i in drawn))
    shares.sort()
    return f"{100 * mean(fused) / mean(own):.0f} % ({100 * shares[25]:.0f}–{100 * shares[974]:.0f})"


if __name__ == "__main__":
    main()
