"""Calls of clients that nobody here wrote, against a server at the address in argv[1]; each must do what it promises.

Prints a line for every call, and ends with status 1 when one failed.
"""

import io
import subprocess
import sys
import urllib.parse
from pathlib import Path

from PIL import Image

address = sys.argv[1]
port = urllib.parse.urlparse(address).port
failed = []


def check(name, call, holds=lambda value: True):
    try:
        value = call()
        if not holds(value):
            raise AssertionError(f"unexpected: {value!r}")
        print(f"ok    {name}: {str(value)[:100]!r}", flush=True)
    except Exception as error:  # noqa: BLE001 - every failure of a client is a finding
        failed.append(name)
        print(f"FAIL  {name}: {type(error).__name__}: {str(error)[:300]}", flush=True)


def webui():
    import webuiapi

    api = webuiapi.WebUIApi(host="127.0.0.1", port=port, sampler="Euler", steps=4)
    check("webuiapi wait", lambda: api.util_wait_for_ready() or "ready")
    drawn = {}

    def draw():
        drawn["result"] = api.txt2img(prompt="a fox, on grass", seed=1, width=64, height=64, cfg_scale=4)
        return drawn["result"].image.size, drawn["result"].info["seed"]

    check("webuiapi txt2img", draw, lambda value: value == ((64, 64), 1))
    check("webuiapi png_info", lambda: api.png_info(drawn["result"].image).info, lambda value: value is not None)
    check("webuiapi set model", lambda: api.util_set_model("mosc-base") or "set")
    for name in ["get_options", "get_samplers", "get_sd_models", "get_loras", "get_upscalers", "get_progress", "get_cmd_flags", "get_memory", "get_scripts", "get_embeddings"]:
        if hasattr(api, name):
            check(f"webuiapi {name}", getattr(api, name), lambda value: value is not None)
    check("webuiapi names", api.util_get_model_names, lambda value: any("mosc-base" in name for name in value))
    check(
        "webuiapi img2img",
        lambda: api.img2img(images=[Image.new("RGB", (64, 64), (200, 30, 30))], prompt="a fox", width=64, height=64, steps=4).image.size,
        lambda value: value == (64, 64))
    check(
        "webuiapi regions",
        lambda: api.txt2img(
            prompt="a fox BREAK a robot", seed=1, width=64, height=64,
            alwayson_scripts={"Regional Prompter": {"args": [True, False, "Matrix", "Columns", "Mask", "Prompt", "1,1"]}},
        ).image.size,
        lambda value: value == (64, 64))


def backend():
    import sd_backend_client as client

    backend = client.connect_to_backend(address)
    check("sd-backend-client capabilities", backend.get_capabilities)
    for name in ["list_checkpoints", "list_loras", "list_samplers", "list_schedulers", "list_upscalers", "list_vaes", "list_hypernetworks"]:
        check(f"sd-backend-client {name}", getattr(backend, name))
    seen = []
    check(
        "sd-backend-client txt2img",
        lambda: backend.submit_txt2img(
            client.DiffusionParams(prompt="a fox, on grass", steps=8, width=64, height=64, seed=42)
        ).wait(timeout=120, on_progress=lambda *values: seen.append(values)).seeds,
        lambda value: list(value) == [42])

    def cancelled():
        task = backend.submit_txt2img(client.DiffusionParams(prompt="a fox", steps=400, width=128, height=128, seed=1))
        task.cancel()
        return "cancelled"

    check("sd-backend-client cancel", cancelled)


def aaa1111():
    import asyncio
    import inspect

    import aaa1111 as client

    async def draw():
        api = client.AAA1111(base_url=address)
        result = api.txt2img({"prompt": "a fox, on grass", "steps": 4, "width": 64, "height": 64, "seed": 3})
        if inspect.isawaitable(result):
            result = await result
        return len(result.images if hasattr(result, "images") else result["images"])

    check("aaa1111 txt2img", lambda: asyncio.run(draw()), lambda value: value == 1)


def openai():
    import openai as client

    api = client.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
    extra = {"mosc": {"steps": 6, "seed": 3}}
    check("openai models", lambda: api.models.list().data[0].id, lambda value: value == "mosc-base")
    check(
        "openai generate",
        lambda: len(api.images.generate(model="mosc-base", prompt="a fox, on grass", n=2, size="64x64", extra_body=extra).data),
        lambda value: value == 2)
    check(
        "openai stream",
        lambda: [event.type for event in api.images.generate(model="mosc-base", prompt="a fox, on grass", size="64x64", stream=True, partial_images=2, extra_body=extra)],
        lambda value: value[-1] == "image_generation.completed")
    check(
        "openai regions",
        lambda: len(api.images.generate(
            model="mosc-base", prompt="on grass", size="64x64",
            extra_body={"mosc": {"steps": 4, "regions": [{"box": [0, 0, 0.5, 1], "prompt": "a fox"}]}}).data),
        lambda value: value == 1)

    def bad():
        try:
            api.images.generate(model="mosc-base", prompt="x", size="big")
        except client.BadRequestError as error:
            return error.param
        return None

    check("openai error", bad, lambda value: value == "size")
    picture = io.BytesIO()
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(picture, "PNG")

    def edit():
        return len(api.images.edit(model="mosc-base", image=("a.png", picture.getvalue(), "image/png"), prompt="a fox", extra_body={"mosc": '{"steps": 4}'}).data)

    check("openai edit", edit, lambda value: value == 1)


def security():
    program = Path(sys.executable).with_name("ligsp")

    def run():
        done = subprocess.run([program, "check", address], capture_output=True, text=True, timeout=120)
        text = done.stdout + done.stderr
        print("\n".join("      " + line for line in text.splitlines()))
        return "findings" if done.returncode or "FAIL" in text or "WARN" in text else "no finding"

    check("ligsp check", run, lambda value: value == "no finding")


for family in [webui, backend, aaa1111, openai, security]:
    check(family.__name__, family)
print(f"{len(failed)} failed" + (": " + ", ".join(failed) if failed else ""))
sys.exit(1 if failed else 0)
