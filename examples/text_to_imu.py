"""From text to sensor readings: generate motions from prompts, and read a phone in the pocket."""

# %% The packaged prior: half an hour of motion capture, so keep to what it has seen
import matplotlib.pyplot as plt
import torch

from lightning_modules.checkpoints import load_prior
from sim import Body, ImuRecording, Placement, simulate
from sim.features import features_to_motion

prompts = ["a person walks forward.", "a person dances.", "a person stands still."]
features = load_prior("prior").generate(prompts, num_frames=80, seeds=[1, 2, 3], sampler="dpm++", steps=20)
print("features", tuple(features.shape), "are (prompts, frames at 20 fps, 263)")

# %% Motion of a body, one for each prompt; shapes of bodies broadcast with them
motion = features_to_motion(features, text=prompts)
body = Body.default()
bodies = body.with_shape(body.sample_shapes(len(prompts), torch.Generator().manual_seed(0)))

# %% A phone in the right front pocket, screen to the skin, at 50 Hz
phone = Placement.preset("right_pocket").mounted("smartphone_screen_in")
recording = simulate(motion, bodies, [phone], rate_hz=50)
for prompt, accel in zip(prompts, recording.accel[:, 25:-25, 0], strict=True):
    print(f"{prompt:26} |f| {accel.norm(dim=-1).mean():5.2f} m/s^2, spread {accel.norm(dim=-1).std():.2f}")

# %% Files keep units, rate, names and placements
recording.save("text_to_imu.parquet")
assert torch.equal(ImuRecording.load("text_to_imu.parquet").accel, recording.accel)

# %% A picture
figure, panels = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True, layout="constrained")
for panel, prompt, accel in zip(panels, prompts, recording.accel[..., 0, :], strict=True):
    panel.plot(recording.time_s[25:-25], accel[25:-25], linewidth=1, label=list("xyz"))
    panel.set(title=prompt, xlabel="time [s]")
panels[0].set_ylabel("specific force [m/s²]")
panels[0].legend(ncols=3, frameon=False, fontsize=8)
figure.savefig("text_to_imu.png", dpi=90)
