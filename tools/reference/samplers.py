"""Trajectories of k-diffusion's samplers and what goes with them, under the model of schedulers.py, in double:

    D(x, σ) = x − σ · (0.3 · x/√(σ² + 1) + sin(t(σ) / 100) · c)

`x[i]` is the sample at the i-th call of the model, the last one the result; levels are those of diffusers'
EulerDiscreteScheduler. Noise is drawn call by call and recorded; samplers that would take it from a
Brownian tree are given a path that is drawn piece by piece (`noise_sampler`). IPNDM and Restart, which no package has, are written
out here.

  samplers.py [--out Tests/Goldens]         compares with the stored file; --out stores it
"""
import argparse
import json
import math
import pathlib
import sys
import types
import zlib

import diffusers
import numpy as np
import torch
from scipy import stats

import golden

NAME = "k-diffusion/samplers.safetensors"
LEVELS = "k-diffusion/levels.json"
BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
         "timestep_spacing": "linspace"}
KARRAS = {**BETAS, "use_karras_sigmas": True}


def k_diffusion():
    """k_diffusion.sampling, without the ODE and SDE packages that the samplers here do not call."""
    for name in ("torchdiffeq", "torchsde"):
        sys.modules.setdefault(name, types.SimpleNamespace(odeint=None))
    root = next(p for p in map(pathlib.Path, sys.path) if (p / "k_diffusion" / "sampling.py").exists())
    package = types.ModuleType("k_diffusion")
    package.__path__ = [str(root / "k_diffusion")]
    sys.modules.setdefault("k_diffusion", package)
    sys.modules.setdefault("k_diffusion.utils", types.SimpleNamespace(
        append_dims=lambda x, n: x[(...,) + (None,) * (n - x.ndim)]))
    package.utils = sys.modules["k_diffusion.utils"]
    import k_diffusion.sampling as sampling
    return sampling


def ipndm(model, x, sigmas, **_):
    """Adams-Bashforth on σ: the weights of even steps, orders 1 to 4; the last step ends in the data."""
    weights = [[1], [3 / 2, -1 / 2], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24]]
    slopes = []
    for now, then in zip(sigmas, sigmas[1:]):
        data = model(x, now.reshape(1))
        slopes = [(x - data) / now] + slopes[:3]
        x = data if then == 0 else x + (then - now) * sum(
            w * s for w, s in zip(weights[len(slopes) - 1], slopes))
    return x


def restart(model, x, sigmas, noise_sampler=None, **_):
    """Heun's steps with second ways down from 2 to 0.1, chosen by the number of steps as the web UI does."""
    karras = k_diffusion().get_sigmas_karras
    n, length, times = len(sigmas) - 1, 0, 0
    if n >= 20:
        length, times = (n // 4, 2) if n >= 36 else (9, 1)
        sigmas = karras(n - length * times, float(sigmas[-2]), float(sigmas[0]))
    bottom = int((sigmas - 0.1).abs().argmin()) if times else -1
    top = int((sigmas - 2).abs().argmin())
    legs = []
    for i in range(1, len(sigmas)):
        legs.append((sigmas[i - 1], sigmas[i]))
        if i == bottom and top < bottom:
            way = karras(length + 1, float(sigmas[bottom]), float(sigmas[top]))[:-1]
            legs += list(zip(way, way[1:])) * times
    place = legs[0][0]
    for now, then in legs:
        if now > place:
            # Rounding of a way's ends is no jump; upstream draws there too, with next to no effect.
            if now > place * (1 + 1e-6):
                x = x + noise_sampler(None, None) * (now ** 2 - place ** 2).sqrt()
        slope = (x - model(x, now.reshape(1))) / now
        end = x + slope * (then - now)
        if then > 0:
            slope = (slope + (end - model(end, then.reshape(1))) / then) / 2
            end = x + slope * (then - now)
        x, place = end, then
    return x


def samplers():
    k = k_diffusion()
    return {"DPM2": (k.sample_dpm_2, False), "DPM2 a": (k.sample_dpm_2_ancestral, True),
            "DPM++ 2S a": (k.sample_dpmpp_2s_ancestral, True), "DPM++ SDE": (k.sample_dpmpp_sde, True),
            "DPM++ 3M SDE": (k.sample_dpmpp_3m_sde, True), "IPNDM": (ipndm, False),
            "Restart": (restart, True)}


def cases():
    for name in samplers():
        for kind, config in [("linspace", BETAS), ("karras", KARRAS)]:
            for steps in [5, 8] if name != "Restart" else [6, 20, 37]:
                yield f"{name}.{kind}.n{steps}", {"scheduler": name, "steps": steps, "config": config}
        yield f"{name}.velocity.n6", {"scheduler": name, "steps": 6,
                                      "config": {**KARRAS, "prediction_type": "v_prediction"}}


def replay(name, case, tensors):
    ladder = diffusers.EulerDiscreteScheduler(**case["config"])
    ladder.set_timesteps(case["steps"])
    sigmas = ladder.sigmas.double()
    known = dict(zip(sigmas.tolist(), ladder.timesteps.tolist()))
    logs = np.log(((1 - ladder.alphas_cumprod) / ladder.alphas_cumprod).sqrt().numpy().astype(np.float64))
    velocity = case["config"].get("prediction_type") == "v_prediction"
    c, path, times, used = tensors["c"].double(), [], [], []
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))

    def model(x, sigma, **_):
        s = float(sigma[0])
        t = known.get(s, float(np.interp(math.log(s), logs, np.arange(len(logs)))))
        path.append(x)
        times.append(t)
        out = 0.3 * x / math.sqrt(s * s + 1) + math.sin(t / 100) * c
        if velocity:
            return x / (s * s + 1) - out * s / math.sqrt(s * s + 1)
        return x - s * out

    last = [None, None]  # where the path was asked for from and to

    def noise(start, end):
        """The rise of a Brownian path from one level to another, over the root of their distance."""
        used.append(torch.randn(c.shape, generator=generator))
        (before, middle), last[:] = last, [start, end]
        if before is None or start is None or abs(start - before) > 1e-9 * start:
            return used[-1].double()
        share = (start - middle) / (start - end)
        return used[-2].double() * share.sqrt() + used[-1].double() * (1 - share).sqrt()

    function, draws = samplers()[case["scheduler"]]
    case["init_noise_sigma"] = float(ladder.init_noise_sigma)
    extra = {"noise_sampler": noise} if draws else {}
    x = function(model, tensors["x_init"].double() * case["init_noise_sigma"], sigmas, disable=True, **extra)
    tensors[f"{name}.x"] = torch.stack(path + [x]).float()
    tensors[f"{name}.timesteps"] = torch.tensor(times, dtype=torch.float64)
    if used:
        tensors[f"{name}.noise"] = torch.stack(used)


def levels():
    """Noise levels by the definitions of their programs, with scipy, diffusers' table and k-diffusion."""
    k = k_diffusion()
    ladder = diffusers.EulerDiscreteScheduler(**BETAS)
    table = ((1 - ladder.alphas_cumprod) / ladder.alphas_cumprod).sqrt().double().numpy()
    low, high, count = float(table[0]), float(table[-1]), len(table)
    at = lambda t: np.exp(np.interp(t, np.arange(count), np.log(table)))
    result = {}
    for n in [1, 4, 10, 20, 30]:
        even = np.arange(n) / max(1, n - 1)
        ays = diffusers.schedulers.AysSchedules["StableDiffusionSigmas"][:-1] + [0.029]
        beta = diffusers.EulerDiscreteScheduler(**{**BETAS, "use_beta_sigmas": True})
        found = {
            "polyexponential": k.get_sigmas_polyexponential(n, low, high)[:-1].double().numpy(),
            "normal": at(np.linspace(count - 1, 0, n)),
            "sgm_uniform": at(np.linspace(count - 1, 0, n + 1)[:-1]),
            "simple": np.array([table[-1 - int(i * (count / n))] for i in range(n)]),
            "ddim_uniform": table[1::max(count // n, 1)][:n][::-1],
            "beta": low + stats.beta.ppf(1 - even, 0.6, 0.6) * (high - low),
            "kl_optimal": np.tan(even * np.arctan(low) + (1 - even) * np.arctan(high)),
            "align_your_steps": np.exp(np.interp(np.linspace(0, 1, n + 1), np.linspace(0, 1, 11),
                                                 np.log(ays)))[:-1],
        }
        if n > 1:
            beta.set_timesteps(n)
            assert np.allclose(found["beta"], beta.sigmas[:-1].numpy(), rtol=1e-5)
        if n == 10:
            assert np.allclose(found["align_your_steps"], ays[:-1], rtol=1e-12)
        for name, values in found.items():
            result.setdefault(name, []).append([float(v) for v in values])
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    old = golden.Golden(NAME)
    tensors = {"c": old.input("c", [8]), "x_init": old.input("x_init", [8])}
    chosen = dict(cases())
    for name, case in chosen.items():
        replay(name, case, tensors)
    agree = golden.check(NAME, tensors, old.tensors)
    if args.out:
        model = "x - sigma * (0.3 * x / sqrt(sigma^2 + 1) + sin(t / 100) * c)"
        golden.write(args.out / NAME, tensors, {"cases": chosen, "model": model, **golden.versions()})
        (args.out / LEVELS).write_text(json.dumps(levels()) + "\n")
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()
