"""Run an exported classifier with onnxruntime alone: python run_onnx.py activities.onnx recording.csv"""

import json
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
said = session.get_modelmeta().custom_metadata_map
classes, channels, samples = json.loads(said["classes"]), json.loads(said["channels"]), int(said["samples"])
table = np.genfromtxt(sys.argv[2], delimiter=",", names=True)  # m/s^2 and rad/s, at said["rate_hz"] samples per second
missing = [name for name in channels if name not in (table.dtype.names or ())]
if missing:
    sys.exit(f"{sys.argv[2]} has columns {table.dtype.names}, expected also {missing}; rename its columns")
signals = np.stack([table[name] for name in channels], axis=1).astype(np.float32)
starts = range(0, len(signals) - samples + 1, samples // 2)
if not starts:
    sys.exit(f"{sys.argv[2]} has {len(signals)} samples, expected at least {samples}, one window")
windows = np.stack([signals[start : start + samples] for start in starts])
for start, row in zip(starts, session.run(["probabilities"], {"windows": windows})[0], strict=True):
    print(f"{start / float(said['rate_hz']):.2f} s: {classes[row.argmax()]} {row.max():.6f}")
