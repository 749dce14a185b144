"""The flat names by which the options of LightningModules may still be given (:mod:`sim.options`), group by group."""

from __future__ import annotations

from typing import Final


def _group(group: str, *fields: str, **renamed: str) -> dict[str, str]:
    return {field: f"{group}.{field}" for field in fields} | {name: f"{group}.{to}" for name, to in renamed.items()}


PROCESS: Final = _group(
    "process",
    "num_steps",
    "noise_schedule",
    "predicts",
    "cond_drop_prob",
    "part_drop_prob",
    "noisier",
    "usual_guidance",
)
LOSSES: Final = _group(
    "losses", "huber_delta", "snr_weighted", "snr_from", "level_weights", "log_gradient_norms_every",
    loss_weights="weights", loss_warmup_steps="warmup_steps", sensor_loss="sensors",
    spectrum_loss="spectrum", frequency_loss="frequency",
    loss_decoder="decoder",
)  # fmt: skip
OPTIMISER: Final = _group("optimiser", "lr", "weight_decay", "warmup_steps", "lr_schedule", "skip_lr_factor")
RECIPE: Final = _group("recipe", "trainable", "lora_rank", compile_denoiser="compile")
SAMPLING: Final = _group("sampling", "guidance", "sampler", sampling_steps="steps")

MOTION_DIFFUSION: Final = {
    **_group(
        "network", "arch", "width", "num_layers", "num_heads", "feedforward", "dropout", "attention_dropout",
        "text_dim", "activities", "mask_frames", "skip", "skip_frames", "skip_until",
    ),
    **PROCESS, **LOSSES, **OPTIMISER, **RECIPE, **SAMPLING,
}  # fmt: skip
MOTION_VAE: Final = {
    **_group("network", "width", "latent_tokens", "num_layers", "num_heads", "feedforward", "dropout"),
    **LOSSES, **OPTIMISER,
}  # fmt: skip
LATENT_MOTION_DIFFUSION: Final = {
    **_group("network", "width", "latent_tokens", "num_layers", "num_heads", "feedforward", "dropout", "text_dim",
        "activities"),
    **_group("vae", vae_layers="layers", vae_feedforward="feedforward"),
    **PROCESS, **LOSSES, **OPTIMISER, **RECIPE, **SAMPLING,
}  # fmt: skip
CONTRASTIVE_EVALUATOR: Final = OPTIMISER
