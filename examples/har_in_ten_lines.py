"""Train on virtual sensors, test on real people: a phone at the waist, four activities, HAPT's nine test people."""

# %% HAPT comes with `pip install 'imuforge[har]'`, for research only
import matplotlib.pyplot as plt
import torch

from datamodules import load_recordings, windows_from_recordings
from datamodules.clips.embedded import load_embedded
from datamodules.har import windows_from_imu
from datamodules.har.readers.hapt import TEST_SUBJECTS
from datamodules.har.windows.views import concatenate
from lightning_modules.har_evaluation import score, train_and_predict
from sim import Body, Placement, SensorErrors, simulate

# %% Ten lines: virtual phones on bodies of many shapes that do what was recorded, and real people
classes, chance, body = ["walking", "standing", "sitting", "lying"], torch.Generator().manual_seed(0), Body.default()
phone, noise = Placement.preset("waist"), SensorErrors.preset("smartphone")
parts = []
for clip in [clip for clip in load_embedded() if clip.activity.split("_")[0] in classes] * 2:
    worn = [phone.jitter(along_mm=15, around_deg=30, rotation_deg=7, generator=chance)]
    person = body.with_shape(body.sample_shapes(1, chance)[0])
    read = simulate(clip.motion, person, worn, rate_hz=50, errors=noise, generator=chance)
    parts.append(windows_from_imu(read, clip.activity.split("_")[0], classes=classes)[0])
people = [one for one in load_recordings("hapt") if one.subject in TEST_SUBJECTS]
real, _ = windows_from_recordings(people, classes=classes)
scores = score(train_and_predict("forest", concatenate(parts), real, seed=0))

# %% What came of it
print(f"macro-F1 on {len(people)} recordings of {len(TEST_SUBJECTS)} people: {scores.macro_f1:.2f}")
print({name: round(value, 2) for name, value in scores.per_class_f1.items()})

# %% A picture
share = scores.confusion / scores.confusion.sum(axis=1, keepdims=True)
figure, axes = plt.subplots(figsize=(4, 3.4), layout="constrained")
axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
axes.set(xticks=range(4), xticklabels=classes, yticks=range(4), yticklabels=classes, xlabel="recognised", ylabel="done")
for row in range(4):
    for column in range(4):
        axes.text(column, row, f"{share[row, column]:.2f}", ha="center", color="k" if share[row, column] < 0.6 else "w")
figure.savefig("har_in_ten_lines.png", dpi=90)
