// The C++ interface of tapconv: a 1-D convolution for CPUs that means what torch's means.
//
// Linking libtapconv.so also registers the operators tapconv::conv1d, tapconv::conv_transpose1d,
// tapconv::conv1d_grad_input and tapconv::conv1d_grad_weight, so that TorchScript archives and exported programs that
// call them can be loaded.
#pragma once

#include <tapconv/default_algorithm.h>
#include <tapconv/functional.h>
#include <tapconv/nn.h>
#include <tapconv/version.h>
