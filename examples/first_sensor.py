"""A first virtual sensor: recorded motion, a watch on the left wrist, and what it reads."""

# %% A recorded motion: `read_motion("file.bvh")` of datamodules.motion_files reads yours
import matplotlib.pyplot as plt
import torch

from datamodules.clips.embedded import load_embedded
from sim import Body, Placement, SensorErrors, simulate

clip = next(clip for clip in load_embedded() if clip.name == "walk_forward")
motion = clip.motion
print(f"{clip.name}: {motion.num_frames} frames at {motion.fps:g} fps, {motion.duration_s:.1f} s of {clip.activity}")

# %% Where the sensors sit, and which way their axes point
worn = [Placement.preset("left_wrist").mounted("smartwatch"), Placement.preset("chest")]
ideal = simulate(motion, Body.default(), worn, rate_hz=100)
print("specific force", tuple(ideal.accel.shape), "is (samples, sensors, xyz) in m/s^2")

# %% The same sensors as a real device would read them
errors, generator = SensorErrors.preset("bmi270"), torch.Generator().manual_seed(0)
real = simulate(motion, Body.default(), worn, rate_hz=100, errors=errors, generator=generator)
print(real.to_dataframe().set_index("time_s").filter(like="chest_gyro").loc[1.0:1.025].round(3))

# %% Within a few frames of a clip's ends readings are far less exact: leave them out of what you judge
inside = slice(30, -30)
chest = ideal.accel[inside, 1].norm(dim=-1)
print(f"|f| at the chest: mean {chest.mean():.2f} m/s^2 (gravity is 9.81), peak {chest.max():.1f} m/s^2")

# %% A picture
figure, panels = plt.subplots(2, 1, figsize=(7, 4), sharex=True, layout="constrained")
for row, (panel, name) in enumerate(zip(panels, real.names, strict=True)):
    for axis in range(3):
        panel.plot(real.time_s[inside], real.accel[inside, row, axis], linewidth=1, label="xyz"[axis])
    panel.set(title=name, ylabel="specific force [m/s²]")
panels[0].legend(ncols=3, frameon=False)
panels[1].set_xlabel("time [s]")
figure.savefig("first_sensor.png", dpi=90)
