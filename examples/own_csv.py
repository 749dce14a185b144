"""Recordings of your own as CSV files: describe the folder in a YAML, look at it, cut windows."""

# %% Stand-ins for your files: two people, a watch that writes g and deg/s
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from datamodules import load_recordings, windows_from_recordings
from datamodules.clips.embedded import load_embedded
from sim import Body, Placement, simulate

folder = Path("own_csv")
for subject, wrist in (("s1", "left_wrist"), ("s2", "right_wrist")):
    (folder / subject).mkdir(parents=True, exist_ok=True)
    for name, activity in (("walk_forward", "walking"), ("sitting/0", "sitting")):
        motion = next(clip.motion for clip in load_embedded() if clip.name == name)
        read = simulate(motion, Body.default(), [Placement.preset(wrist)], rate_hz=50)
        columns = [1000 * read.time_s[:, None], read.accel[:, 0] / 9.80665, read.gyro[:, 0].rad2deg()]
        values = torch.hstack(columns)[25:-25].numpy()
        table = pd.DataFrame(values, columns=["t", "ax", "ay", "az", "gx", "gy", "gz"])
        table.to_csv(folder / subject / f"{activity}_1.csv", index=False)

# %% The description: everything that the files themselves do not say
description = folder / "imuforge.yaml"
description.write_text(
    r"""
files: '(?P<subject>s\d+)/(?P<activity>\w+)_(?P<trial>\d+)\.csv'
rate_hz: 50
time: {column: t, unit: ms}
units: {accel: g, gyro: deg/s}
gravity: included
sensors:
  left_wrist: {accel: [ax, ay, az], gyro: [gx, gy, gz]}
"""
)

# %% Read it: SI units, one Recording for each file. `imuforge recordings inspect` says what looks wrong
recordings = list(load_recordings("csv_folder", description))
for one in recordings:
    print(one.subject, one.labels, one.accel.shape, f"mean |f| {np.linalg.norm(one.accel, axis=-1).mean():.2f} m/s^2")

# %% Windows for any classifier
windows, report = windows_from_recordings(recordings, classes=["walking", "sitting"], window_s=2.0, overlap=0.75)
print(
    len(windows), "windows", windows.signals.shape, dict(zip(windows.classes, windows.counts().tolist(), strict=True))
)

# %% A picture
figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
axes.plot(np.arange(len(recordings[1].accel)) / 50, recordings[1].accel[:, 0], label=list("xyz"), linewidth=1)
axes.set(title=f"{recordings[1].subject}, {recordings[1].labels}", xlabel="time [s]", ylabel="specific force [m/s²]")
axes.legend(ncols=3, frameon=False)
figure.savefig("own_csv.png", dpi=90)
