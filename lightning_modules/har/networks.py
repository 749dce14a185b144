"""Networks that recognise an activity from one window of sensor channels: a DeepConvLSTM and a small 1-D CNN."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from sim.names import check_name

NETWORKS = ("deepconvlstm", "cnn")
"""Names that :func:`build_classifier` knows."""


class DeepConvLSTM(nn.Module):
    """Convolutions over time, then an LSTM whose last state is classified.

    Ordóñez and Roggen 2016, Deep convolutional and LSTM recurrent neural networks for multimodal wearable activity
    recognition, doi 10.3390/s16010115, section 2: four convolutions of kernel 5 with ReLU, two LSTM layers, dropout
    0.5, softmax on the last time step. It deviates from the paper so that it trains on a CPU in seconds, and on few
    people:

    - the first convolution mixes all sensor channels (the paper keeps each channel apart up to the LSTM, which makes
      the LSTM's input as many times wider as there are channels);
    - the first three convolutions keep every second frame, so that the LSTM takes 16 steps for 128 samples instead of
      112; the series is padded, so that a window may be of any length;
    - 32 filters and one LSTM layer of 64 units instead of 64 filters and two layers of 128;
    - batch normalisation after each convolution (Ioffe and Szegedy 2015, arXiv 1502.03167), without which it is sure of
      what it has never seen.

    ``filters=64, units=128, layers=2, strides=(1, 1, 1, 1)`` gives the paper's widths back.

    Args:
        num_channels: C, sensor channels of a window.
        num_classes: K, classes.
        filters: output channels of each convolution.
        units: width of the LSTM.
        layers: layers of the LSTM.
        dropout: share of values zeroed before the LSTM and before the classifier.
        strides: stride of each convolution; its length is the number of convolutions.
    """

    def __init__(
        self,
        num_channels: int,
        num_classes: int,
        *,
        filters: int = 32,
        units: int = 64,
        layers: int = 1,
        dropout: float = 0.5,
        strides: Sequence[int] = (2, 2, 2, 1),
    ) -> None:
        super().__init__()
        convolutions: list[nn.Module] = []
        width = num_channels
        for stride in strides:
            convolutions += [
                nn.Conv1d(width, filters, kernel_size=5, stride=stride, padding=2, bias=False),
                nn.BatchNorm1d(filters),
                nn.ReLU(),
            ]
            width = filters
        self.convolutions = nn.Sequential(*convolutions)
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(filters, units, num_layers=layers, batch_first=True)
        self.classifier = nn.Linear(units, num_classes)

    def forward(self, signals: Tensor) -> Tensor:
        """Class scores (logits) ``(B, K)`` of normalised windows ``(B, T, C)``."""
        frames = self.convolutions(signals.transpose(1, 2)).transpose(1, 2)
        states, _ = self.lstm(self.dropout(frames))
        return self.classifier(self.dropout(states[:, -1]))


class ConvNet(nn.Module):
    """Three convolutions with batch normalisation, averaged over time: the strong plain baseline of time series.

    Wang, Yan and Oates 2017, Time series classification from scratch with deep neural networks, arXiv 1611.06455 (their
    FCN: kernels 8, 5, 3 and global average pooling), with a quarter of its filters, odd kernels, strides instead of
    full resolution, and dropout before the classifier.

    Args:
        num_channels: C, sensor channels of a window.
        num_classes: K, classes.
        filters: output channels of the first and last convolution; the middle one has twice as many.
        dropout: share of values zeroed before the classifier.
    """

    def __init__(self, num_channels: int, num_classes: int, *, filters: int = 32, dropout: float = 0.5) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        width = num_channels
        for out, kernel, stride in ((filters, 7, 2), (2 * filters, 5, 2), (filters, 3, 1)):
            blocks += [
                nn.Conv1d(width, out, kernel, stride=stride, padding=kernel // 2, bias=False),
                nn.BatchNorm1d(out),
                nn.ReLU(),
            ]
            width = out
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(filters, num_classes)

    def forward(self, signals: Tensor) -> Tensor:
        """Class scores (logits) ``(B, K)`` of normalised windows ``(B, T, C)``."""
        return self.classifier(self.dropout(self.blocks(signals.transpose(1, 2)).mean(dim=-1)))


def build_classifier(
    name: str, *, num_channels: int, num_classes: int, filters: int, units: int, layers: int, dropout: float
) -> nn.Module:
    """Make a network by name.

    Args:
        name: one of :data:`NETWORKS`.
        num_channels: C, sensor channels of a window.
        num_classes: K, classes.
        filters: width of the convolutions.
        units: width of the LSTM; the CNN has none.
        layers: layers of the LSTM; the CNN has none.
        dropout: share of values zeroed.

    Returns:
        A module from normalised windows ``(B, T, C)`` to logits ``(B, K)``.

    Raises:
        ValueError: the name is unknown (names the nearest), or a size is below one.
    """
    sizes = {"num_channels": num_channels, "num_classes": num_classes, "filters": filters, "units": units}
    for what, size in {**sizes, "layers": layers}.items():
        if size < 1:
            raise ValueError(f"{what} is {size}, expected at least 1")
    check_name(name, NETWORKS, "network")
    if name == "deepconvlstm":
        return DeepConvLSTM(num_channels, num_classes, filters=filters, units=units, layers=layers, dropout=dropout)
    return ConvNet(num_channels, num_classes, filters=filters, dropout=dropout)
