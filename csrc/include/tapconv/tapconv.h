// The C++ interface of tapconv: a 1-D convolution for CPUs that means what torch's means.
//
// Linking libtapconv.so also registers the operators tapconv::conv1d, tapconv::conv_transpose1d,
// tapconv::causal_conv1d and the gradients', so that TorchScript archives and exported programs that
// call them can be loaded.
#pragma once

#include <tapconv/causal_conv1d.h>
#include <tapconv/default_algorithm.h>
#include <tapconv/functional.h>
#include <tapconv/nn.h>
#include <tapconv/version.h>
