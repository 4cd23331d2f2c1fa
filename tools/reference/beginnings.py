"""Scheduler trajectories that begin with noised data, as image-to-image pipelines run them.

The analytic model of `schedulers.py`; `begin` counts the steps that are left out. `x[i]` is the sample before
step i of those that are taken, the first one `add_noise(x_init, start_noise, timesteps[0])`, the last one the
result; `noised[i]` is what `add_noise` makes of the same two before step i.

PNDM and LMS are not here: where diffusers begins later, the first visits a timestep twice in the wrong place, and
the second weighs slopes that it does not have.
"""
import math

import diffusers
import torch

import golden
import schedulers

BETAS = schedulers.BETAS
SD = {**BETAS, "timestep_spacing": "leading", "steps_offset": 1}
KINDS = {
    "ddim": ("DDIMScheduler", {**SD, "set_alpha_to_one": False, "clip_sample": False}),
    "ddpm": ("DDPMScheduler", {**SD, "clip_sample": False}),
    "deis": ("DEISMultistepScheduler", BETAS),
    "dpmpp2m": ("DPMSolverMultistepScheduler", BETAS),
    "dpmpp2m.karras": ("DPMSolverMultistepScheduler", {**BETAS, "use_karras_sigmas": True}),
    "dpmpp2m_sde": ("DPMSolverMultistepScheduler", {**SD, "algorithm_type": "sde-dpmsolver++"}),
    "euler": ("EulerDiscreteScheduler", SD),
    "euler.karras": ("EulerDiscreteScheduler", {**BETAS, "use_karras_sigmas": True}),
    "euler_a": ("EulerAncestralDiscreteScheduler", SD),
    "heun": ("HeunDiscreteScheduler", BETAS),
    "lcm": ("LCMScheduler", {**BETAS, "clip_sample": False}),
    "tcd": ("TCDScheduler", {**BETAS, "clip_sample": False}),
    "unipc": ("UniPCMultistepScheduler", {**BETAS, "solver_order": 3}),
}
COUNTS = [(6, 0), (6, 1), (6, 4), (6, 5), (20, 8)]


def make():
    old = golden.Golden("diffusers/beginnings.safetensors")
    tensors = {key: old.input(key, (1, 4, 4, 4)) for key in ("c", "x_init", "start_noise")}
    cases = {f"{name}.n{steps}.b{begin}": {
        "scheduler": kind, "config": config, "steps": steps, "begin": begin}
        for name, (kind, config) in KINDS.items() for steps, begin in COUNTS}
    for name, case in cases.items():
        replay(name, case, old.tensors, tensors)
    yield old, tensors, {"cases": cases, "model": schedulers.MODEL}


def replay(name, case, stored, tensors):
    scheduler = getattr(diffusers, case["scheduler"])(**case["config"])
    scheduler.set_timesteps(case["steps"])
    case["init_noise_sigma"] = float(scheduler.init_noise_sigma)
    first = case["begin"] * scheduler.order
    timesteps = scheduler.timesteps[first:]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    data, start = tensors["x_init"], tensors["start_noise"]

    def noised(i):
        return scheduler.add_noise(data, start, timesteps[i:i + 1])

    x = noised(0)
    path, levels, used = [x], [x], []
    with schedulers.recorded_noise(scheduler, stored.get(f"{name}.noise"), name, used):
        for i, t in enumerate(timesteps):
            seen = scheduler.scale_model_input(x, t)
            eps = 0.3 * seen + math.sin(float(t) / 100) * tensors["c"]
            x = scheduler.step(eps, t, x).prev_sample
            path.append(x)
            if i + 1 < len(timesteps):
                levels.append(noised(i + 1))
    tensors[f"{name}.x"] = torch.stack(path)
    tensors[f"{name}.noised"] = torch.stack(levels)
    tensors[f"{name}.timesteps"] = timesteps.double()
    if used:
        tensors[f"{name}.noise"] = torch.stack(used)
