// How the caller lets tasks run side by side.
#pragma once

namespace tapconv::kernels {

// Runs body(argument, slot) once for every slot in [0, slots), on as many threads as the caller likes, and returns when
// all have finished. A slot owns one part of the workspace; which thread runs it does not change any result.
struct Parallel {
  int slots;
  void (*run)(int slots, void (*body)(void* argument, int slot), void* argument);
};

}  // namespace tapconv::kernels
