"""Uses the operator with nothing but the library, as a program does that has no tapconv package installed.

python load_library.py LIBTAPCONV.so
"""

import sys

import torch

torch.ops.load_library(sys.argv[1])

signal = torch.randn(1, 2, 100)  # batch, channels, samples
filters = torch.randn(4, 2, 3, requires_grad=True)  # output channels, input channels, taps
output = torch.ops.tapconv.conv1d(signal, filters, padding="same")
output.square().mean().backward()

torch.testing.assert_close(output, torch.conv1d(signal, filters, padding="same"))
print(f"shape {list(output.shape)}, gradient of shape {list(filters.grad.shape)}")
