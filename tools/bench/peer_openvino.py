#!/usr/bin/env python3
"""Times OpenVINO on one component of a diffusers folder; prints one JSON line.

`--convert` converts the network first (needs torch and diffusers) and keeps it as fp32 IR in the folder
--ir; it does nothing when the file is there. Conversion has a process of its own, or it would count in
the start and the memory of the timed one.

`--type int8` is post-training quantisation by NNCF (weights per channel, activations per tensor, scales
from two made-up inputs); what it leaves alone is computed in bf16.
"""
import os
import time

import measure


def main():
    parser = measure.arguments(__doc__)
    parser.add_argument("--ir", help="folder of the converted networks; default: MODEL-openvino")
    parser.add_argument("--convert", action="store_true", help="make the IR instead of timing it")
    args = parser.parse_args()
    folder = args.ir or args.model.rstrip("/") + "-openvino"
    path = os.path.join(folder, f"{args.part}.xml")
    if args.convert and not os.path.exists(path):
        convert(args, path)
    if args.type == "int8":
        source, path = path, os.path.join(folder, f"{args.part}.int8.xml")
        if args.convert and not os.path.exists(path):
            quantise(args, source, path)
    if args.convert:
        return
    if not os.path.exists(path):
        raise SystemExit(f"{path} does not exist; make it with the same command and --convert")
    time_one(args, path)


def time_one(args, path):
    import numpy as np
    import openvino
    core = openvino.Core()
    network = core.read_model(path)
    given = measure.inputs(args.part, measure.configuration(args.model, args.part), args.latent,
                           args.batch)
    network.reshape({port: x.shape for port, x in zip(network.inputs, given)})
    load_s = measure.seconds_since_start()
    start = time.perf_counter()
    compiled = core.compile_model(network, "CPU", {
        "INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if args.type == "int8" else args.type})
    compile_s = time.perf_counter() - start
    request = compiled.create_infer_request()

    def run():
        return float(np.sum(request.infer(given, share_inputs=True, share_outputs=True)[0]))

    measure.report(args, "openvino", openvino.__version__.split("-")[0], run, load_s, compile_s)


def quantise(args, source, path):
    import nncf
    import numpy as np
    import openvino
    network = openvino.Core().read_model(source)
    given = measure.inputs(args.part, measure.configuration(args.model, args.part), "16x16", args.batch)
    names = [port.get_any_name() for port in network.inputs]
    samples = [{name: x * np.float32(factor) if x.dtype == np.float32 else x
                for name, x in zip(names, given)} for factor in (1, 0.7)]
    # Smoothing needs more memory than a laptop has; without it the error is larger, the speed the same.
    parameters = nncf.AdvancedQuantizationParameters(
        smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=-1))
    quantised = nncf.quantize(network, nncf.Dataset(samples), model_type=nncf.ModelType.TRANSFORMER,
                              subset_size=2, preset=nncf.QuantizationPreset.MIXED,
                              advanced_parameters=parameters)
    openvino.save_model(quantised, path, compress_to_fp16=False)


def convert(args, path):
    import openvino
    import torch
    from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
    from transformers import CLIPTextModel

    kind = {"unet": UNet2DConditionModel, "vae_decoder": AutoencoderKL,
            "taesd_decoder": AutoencoderTiny, "text_encoder": CLIPTextModel}[args.part]
    eager = {"attn_implementation": "eager"} if args.part == "text_encoder" else {}
    model = kind.from_pretrained(args.model, subfolder=measure.FOLDERS[args.part],
                                 torch_dtype=torch.float32, **eager).eval()

    class Positional(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *given):
            call = self.model.decode if args.part.endswith("_decoder") else self.model
            return call(*given, return_dict=False)[0]

    example = [torch.from_numpy(x) for x in measure.inputs(
        args.part, measure.configuration(args.model, args.part), "32x32", args.batch)]
    with torch.no_grad():
        network = openvino.convert_model(Positional(), example_input=tuple(example))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    openvino.save_model(network, path, compress_to_fp16=False)


if __name__ == "__main__":
    main()
