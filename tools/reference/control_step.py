"""Remakes Tests/Goldens/diffusers/control_step.safetensors: loss and gradients of one training step of a ControlNet.

    python tools/reference/control_step.py FOLDER

The network is the first of control_nets.py; text encoder and U-Net are the tiny model's and stay as they are.
"""

import pathlib
import sys

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

import golden

folder = pathlib.Path(sys.argv[1])
torch.set_grad_enabled(True)
HERE = pathlib.Path(__file__).parents[2] / "Tests/Goldens/diffusers"
unet = UNet2DConditionModel.from_pretrained(golden.BASE / "unet").double()
text = CLIPTextModel.from_pretrained(golden.BASE / "text_encoder").double()
net = ControlNetModel.from_unet(unet, conditioning_channels=3)
net = ControlNetModel.from_config({**net.config, "conditioning_embedding_out_channels": (4, 4, 6, 8)})
tensors = {k[5:]: v for k, v in load_file(HERE / "control_nets.safetensors").items() if k.startswith("net0.")}
shared = {k: v for k, v in unet.state_dict().items() if k in net.state_dict()}
net.load_state_dict({**shared, **tensors})
net = net.double()
unet.requires_grad_(False)
text.requires_grad_(False)

torch.manual_seed(5)
BATCH, HEIGHT, WIDTH = 2, 4, 6
inputs = {
    "latents": torch.randn(BATCH, 4, HEIGHT, WIDTH),
    "noise": torch.randn(BATCH, 4, HEIGHT, WIDTH),
    "signal": torch.tensor([0.9, 0.3]).reshape(BATCH, 1, 1, 1),
    "level": torch.tensor([0.4359, 0.9539]).reshape(BATCH, 1, 1, 1),
    "timestep": torch.tensor([120.0, 700.0]),
    "loss_weight": torch.tensor([0.2, 0.7]),
    "image": torch.rand(BATCH, 3, 8 * HEIGHT, 8 * WIDTH),
}
length = text.config.max_position_embeddings
ids = torch.randint(0, text.config.vocab_size - 2, (BATCH, length), dtype=torch.int32)
x = {k: v.double() for k, v in inputs.items()}
states = text(ids.long())[0]
noisy = x["signal"] * x["latents"] + x["level"] * x["noise"]
down, mid = net(noisy, x["timestep"], states, x["image"], return_dict=False)
prediction = unet(noisy, x["timestep"], states, down_block_additional_residuals=down,
                  mid_block_additional_residual=mid).sample
errors = ((prediction - x["noise"]) ** 2).mean((1, 2, 3))
loss = (errors * x["loss_weight"]).sum()
loss.backward()
gradients = {k: p.grad for k, p in net.named_parameters()}
kept = [k for k in gradients if k in (
    "conv_in.weight", "time_embedding.linear_1.weight", "controlnet_cond_embedding.conv_in.weight",
    "controlnet_cond_embedding.blocks.3.bias", "controlnet_cond_embedding.conv_out.weight",
    "controlnet_down_blocks.0.weight", "controlnet_down_blocks.11.bias", "controlnet_mid_block.weight",
    "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", "mid_block.resnets.1.conv2.weight")]
save_file(
    {**inputs, "input_ids": ids, "loss": loss.reshape(1).float(), "errors": errors.float(),
     **{f"grad.{k}": gradients[k].float().contiguous() for k in kept}},
    folder / "control_step.safetensors", metadata=golden.versions())
print(float(loss), len(kept), len(gradients), max(float(gradients[k].abs().max()) for k in kept))
