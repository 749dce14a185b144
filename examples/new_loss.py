"""A loss of your own: one function, a name, a weight; fine-tune the packaged prior with it."""

# %% A loss returns differences and where they count; squaring and averaging are common to all
import matplotlib.pyplot as plt
import torch
from lightning import Callback, LightningModule, Trainer

from datamodules import MotionDataModule
from lightning_modules import MotionDiffusion
from lightning_modules.losses import LOSSES, Prediction, Residual, stencil_mask


def jerk_joints(prediction: Prediction) -> Residual:
    """Third differences of the decoded joints times fps cubed [m/s^3], xyz of 22 joints."""
    values = 20 * (prediction.predicted_acceleration - prediction.target_acceleration).diff(dim=1)
    return Residual(values.flatten(2), stencil_mask(prediction.mask, 3))


LOSSES["jerk_joints"] = jerk_joints  # in the package: a line of the table LOSSES, and a weight in YAML

# %% The prior that ships, with two terms
torch.manual_seed(0)
model = MotionDiffusion(
    init_from="prior",
    loss_weights={"reconstruction": 1.0, "jerk_joints": 2e-7},
    snr_weighted=["jerk_joints"],  # counts less where the motion is nearly all noise
    lr=1e-4,
    warmup_steps=5,
    ema_decay=0.9,
)
data = MotionDataModule(["embedded"], batch_size=16, samples_per_epoch=16 * 8, eval_windows_per_activity=4)


# %% Validation scores every loss on held-out clips, with the same noise each time
class Curve(Callback):
    rows: list[dict[str, float]] = []  # noqa: RUF012

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.rows.append({name: float(value) for name, value in trainer.callback_metrics.items()})


curve = Curve()
quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
trainer = Trainer(max_steps=40, accelerator="cpu", num_sanity_val_steps=0, callbacks=[curve], **quiet)
trainer.validate(model, data, verbose=False)
trainer.fit(model, data)
for name in ("reconstruction", "jerk_joints"):
    print(f"val/{name}: {curve.rows[0][f'val/{name}']:.4g} before, {curve.rows[-1][f'val/{name}']:.4g} after")

# %% A picture
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
for name in ("reconstruction", "jerk_joints"):
    values = torch.tensor([row[f"val/{name}"] for row in curve.rows])
    axes.plot(8 * torch.arange(len(values)), values / values[0], "o-", label=name)
axes.set(xlabel="step", ylabel="validation, relative to the start")
axes.legend(frameon=False)
figure.savefig("new_loss.png", dpi=90)
