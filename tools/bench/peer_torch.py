#!/usr/bin/env python3
"""Times PyTorch eager (channels last) on one component of a diffusers folder; prints one JSON line."""
import os

import measure


def main():
    args = measure.arguments(__doc__).parse_args()
    import torch
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    dtype = torch.bfloat16 if args.type == "bf16" else torch.float32
    model = load(args, torch, dtype).eval()
    if args.part != "text_encoder":
        model = model.to(memory_format=torch.channels_last)
    given = [prepared(torch.from_numpy(x), torch, dtype)
             for x in measure.inputs(args.part, measure.configuration(args.model, args.part),
                                     args.latent, args.batch)]
    call = model.decode if args.part == "vae_decoder" else model
    load_s = measure.seconds_since_start()

    def run():
        return float(call(*given, return_dict=False)[0].float().sum())

    measure.report(args, "torch", torch.__version__, run, load_s, 0)


def load(args, torch, dtype):
    if args.part == "text_encoder":
        from transformers import CLIPTextModel as Model
    elif args.part == "unet":
        from diffusers import UNet2DConditionModel as Model
    else:
        from diffusers import AutoencoderKL as Model
    folder = measure.FOLDERS[args.part]
    files = os.listdir(os.path.join(args.model, folder))
    half = args.type == "bf16" and any(".bf16." in name for name in files)
    return Model.from_pretrained(args.model, subfolder=folder, torch_dtype=dtype,
                                 **({"variant": "bf16"} if half else {}))


def prepared(x, torch, dtype):
    if not x.is_floating_point():
        return x
    x = x.to(dtype)
    return x.to(memory_format=torch.channels_last) if x.ndim == 4 else x


if __name__ == "__main__":
    main()
