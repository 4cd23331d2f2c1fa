"""VAE of the base model: image to mean and log variance, latents to image."""
from diffusers import AutoencoderKL

import golden

SIZES = [(64, 64), (96, 160)]  # height, width in pixels; add one to extend


def make():
    old = golden.Golden("diffusers/vae.safetensors")
    model = AutoencoderKL.from_pretrained(golden.BASE / "vae").eval()
    tensors = {}
    for h, w in SIZES:
        key = f"{h}x{w}"
        image = old.input(f"{key}.image", (1, 3, h, w)).clamp(-1, 1)
        z = old.input(f"{key}.z", (1, 4, h // 8, w // 8))
        moments = model.encode(image).latent_dist
        tensors.update({
            f"{key}.image": image, f"{key}.z": z, f"{key}.mean": moments.mean,
            f"{key}.logvar": moments.logvar, f"{key}.decoded": model.decode(z).sample})
    yield old, tensors, {"scaling_factor": model.config.scaling_factor,
                         "note": old.settings.get("note", "")}
