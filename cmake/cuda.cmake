# The CUDA kernels: whether to build them, with what, and for which devices. Sets TAPCONV_HAVE_CUDA, and where that is
# on, enables the language and sets TAPCONV_CUDA_ARCHITECTURES_BUILT, for people to read.
#
# AUTO builds them where they can be of use: with a CUDA compiler for a torch that has CUDA, or with a compiler that was
# named outright, by CMAKE_CUDA_COMPILER or CUDACXX. A torch for CPUs loads them too, but cannot run them.

set(TAPCONV_CUDA AUTO CACHE STRING "The CUDA kernels: ON, OFF, or AUTO, where a compiler and a torch for CUDA are found")
set_property(CACHE TAPCONV_CUDA PROPERTY STRINGS AUTO ON OFF)
set(TAPCONV_CUDA_ARCHITECTURES 75 80 86 89 90 100
    CACHE STRING "Devices to have code for, by compute capability; the last one also gets PTX, for what comes later")

set(TAPCONV_HAVE_CUDA OFF)
if(TAPCONV_CUDA STREQUAL "AUTO")
  if(CMAKE_CUDA_COMPILER OR DEFINED ENV{CUDACXX} OR EXISTS "${TAPCONV_TORCH_ROOT}/lib/libtorch_cuda.so")
    set(TAPCONV_HAVE_CUDA ON)
  endif()
elseif(TAPCONV_CUDA)
  set(TAPCONV_HAVE_CUDA ON)
endif()

# The binding asks torch for a CUDA stream without CUDA's headers.
if(TAPCONV_HAVE_CUDA)
  file(STRINGS "${TAPCONV_TORCH_ROOT}/include/c10/core/Stream.h" torch_gives_streams REGEX "native_handle\\(\\)")
  if(NOT torch_gives_streams)
    if(NOT TAPCONV_CUDA STREQUAL "AUTO")
      message(FATAL_ERROR "TAPCONV_CUDA=${TAPCONV_CUDA}: torch ${TAPCONV_TORCH_VERSION} has no c10::Stream::native_handle(), "
                          "which the CUDA kernels need. Build with a newer torch, or pass -DTAPCONV_CUDA=OFF.")
    endif()
    set(TAPCONV_HAVE_CUDA OFF)
  endif()
endif()

if(TAPCONV_HAVE_CUDA)
  include(CheckLanguage)
  # The compiler is tried out on the architectures, and one that is set beforehand is not looked up.
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES OFF)
  endif()
  check_language(CUDA)
  if(NOT CMAKE_CUDA_COMPILER)
    if(NOT TAPCONV_CUDA STREQUAL "AUTO")
      message(FATAL_ERROR "TAPCONV_CUDA=${TAPCONV_CUDA}, but no CUDA compiler works here. Put nvcc of a CUDA toolkit 12.0 or newer in "
                          "PATH, or name it with -DCMAKE_CUDA_COMPILER=/where/it/is/bin/nvcc, "
                          "or build without the CUDA kernels: -DTAPCONV_CUDA=OFF.")
    endif()
    set(TAPCONV_HAVE_CUDA OFF)
  endif()
endif()

if(TAPCONV_HAVE_CUDA)
  if(NOT DEFINED CMAKE_CUDA_COMPILER_LAUNCHER)
    set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
  endif()
  enable_language(CUDA)
  # CMake before 3.26 does not know that nvcc has C++20.
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  endif()
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  set(CMAKE_CUDA_EXTENSIONS OFF)
  set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
  # Inside the library, so that it loads where no CUDA is installed.
  set(CMAKE_CUDA_RUNTIME_LIBRARY Static)

  execute_process(
    COMMAND "${CMAKE_CUDA_COMPILER}" --list-gpu-arch
    OUTPUT_VARIABLE known_architectures
    COMMAND_ERROR_IS_FATAL ANY)
  set(wanted_architectures)
  foreach(architecture IN LISTS TAPCONV_CUDA_ARCHITECTURES)
    if(known_architectures MATCHES "compute_${architecture}\n")
      list(APPEND wanted_architectures ${architecture})
    else()
      message(STATUS "CUDA ${CMAKE_CUDA_COMPILER_VERSION} knows no device of compute capability ${architecture}: left out")
    endif()
  endforeach()
  if(NOT wanted_architectures)
    message(FATAL_ERROR "TAPCONV_CUDA_ARCHITECTURES=${TAPCONV_CUDA_ARCHITECTURES}: ${CMAKE_CUDA_COMPILER} knows none of them. "
                        "It knows these: ${known_architectures}")
  endif()
  list(GET wanted_architectures -1 newest_architecture)
  list(TRANSFORM wanted_architectures APPEND -real OUTPUT_VARIABLE CMAKE_CUDA_ARCHITECTURES)
  list(APPEND CMAKE_CUDA_ARCHITECTURES ${newest_architecture}-virtual)
  string(REPLACE ";" " " TAPCONV_CUDA_ARCHITECTURES_BUILT "${wanted_architectures}+PTX")
  message(STATUS "CUDA kernels: ${CMAKE_CUDA_COMPILER} ${CMAKE_CUDA_COMPILER_VERSION} for ${TAPCONV_CUDA_ARCHITECTURES_BUILT}")
else()
  message(STATUS "CUDA kernels: none (TAPCONV_CUDA=${TAPCONV_CUDA})")
endif()
