"""Scheduler trajectories under an analytic model, which needs no network:

    eps(x, t) = 0.3 · scale_model_input(x, t) + sin(t / 100) · c

`x[i]` is the sample before step i, the last one the result. Random noise that a scheduler asks for is
recorded (`noise`), so that the trajectory does not depend on a random source. A case is named
<variant>.n<steps>; add one to MORE to extend a file.
"""
import contextlib
import math
import sys
import zlib

import diffusers
import torch

import golden

FILES = ["ddim", "ddpm", "deis", "dpmpp_2m", "dpmpp_2m_sde", "euler", "euler_ancestral", "heun", "lcm",
         "lms", "pndm", "tcd", "unipc"]
BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
# What is not in the stored files yet is added from here.
MORE = {
    "deis": {
        f"{label}.n{n}": {"scheduler": "DEISMultistepScheduler", "steps": n, "config": {**BETAS, **more}}
        for n in (5, 16) for label, more in {
            "linspace": {}, "leading.order3": {"timestep_spacing": "leading", "steps_offset": 1, "solver_order": 3},
            "karras": {"use_karras_sigmas": True},
            "trailing.velocity": {"timestep_spacing": "trailing", "prediction_type": "v_prediction"}}.items()},
    "tcd": {
        f"eta{eta}.{kind}.n{n}": {"scheduler": "TCDScheduler", "steps": n, "step": {"eta": eta},
                                  "config": {**BETAS, "prediction_type": kind}}
        for eta, n, kind in [(0.3, 4, "epsilon"), (0.3, 8, "v_prediction"), (0, 4, "epsilon"),
                             (1.0, 6, "sample"), (0.7, 11, "epsilon")]},
}
MODEL = "eps = 0.3 * scale_model_input(x, t) + sin(t / 100) * c"


def make():
    for file in FILES:
        old = golden.Golden(f"diffusers/sched_{file}.safetensors")
        cases = {**old.settings.get("cases", {}), **MORE.get(file, {})}
        inputs = old.tensors or golden.Golden("diffusers/sched_euler.safetensors").tensors
        tensors = {"c": inputs["c"], "x_init": inputs["x_init"]}
        for name, case in cases.items():
            replay(name, case, old.tensors, tensors)
        yield old, tensors, {"cases": cases, "model": MODEL}


def replay(name, case, stored, tensors):
    scheduler = getattr(diffusers, case["scheduler"])(**case["config"])
    scheduler.set_timesteps(case["steps"], **case.get("set_timesteps", {}))
    case["init_noise_sigma"] = float(scheduler.init_noise_sigma)
    x = tensors["x_init"] * case["init_noise_sigma"]
    path, used = [x], []
    with recorded_noise(scheduler, stored.get(f"{name}.noise"), name, used):
        for t in scheduler.timesteps:
            seen = scheduler.scale_model_input(x, t)
            eps = 0.3 * seen + math.sin(float(t) / 100) * tensors["c"]
            x = scheduler.step(eps, t, x, **case.get("step", {})).prev_sample
            path.append(x)
    tensors[f"{name}.x"] = torch.stack(path)
    tensors[f"{name}.timesteps"] = scheduler.timesteps.double()
    is_new = f"{name}.x" not in stored
    if f"{name}.sigmas" in stored or is_new and hasattr(scheduler, "sigmas"):
        tensors[f"{name}.sigmas"] = scheduler.sigmas.float()
    if used:
        tensors[f"{name}.noise"] = torch.stack(used)


@contextlib.contextmanager
def recorded_noise(scheduler, stored, name, used):
    """Replaces the noise function of the scheduler's module: stored draws first, then seeded ones."""
    module = sys.modules[type(scheduler).__module__]
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))

    def draw(shape, **_):
        i = len(used)
        used.append(stored[i] if stored is not None and i < len(stored)
                    else torch.randn(tuple(shape), generator=generator))
        return used[-1]

    before = getattr(module, "randn_tensor", None)
    module.randn_tensor = draw
    try:
        yield
    finally:
        module.randn_tensor = before
