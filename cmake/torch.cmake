# Finds torch: where CMAKE_PREFIX_PATH or Torch_DIR says, else the one of the Python in use. Sets TAPCONV_TORCH_VERSION
# (with its local part, such as 2.13.0+cpu) and defines the target tapconv_openmp.

# TorchConfig.cmake warns that it finds no libkineto, which wheels do not ship. It wants the library only for the
# variable TORCH_LIBRARIES, and this project links targets.
set(kineto_LIBRARY unused)

find_package(Torch CONFIG QUIET)
if(NOT Torch_FOUND)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  execute_process(
    COMMAND "${Python3_EXECUTABLE}" -c "import torch; print(torch.utils.cmake_prefix_path)"
    OUTPUT_VARIABLE torch_prefix_path
    OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE torch_import_failed
    ERROR_QUIET)
  if(torch_import_failed)
    message(
      FATAL_ERROR
        "tapconv needs torch. ${Python3_EXECUTABLE} cannot import it, and CMAKE_PREFIX_PATH names no LibTorch. "
        "Install torch for that Python, or choose another with -DPython3_EXECUTABLE=..., "
        "or unpack LibTorch and pass -DCMAKE_PREFIX_PATH=/where/it/is/libtorch.")
  endif()
  find_package(Torch CONFIG REQUIRED PATHS "${torch_prefix_path}" NO_DEFAULT_PATH)
endif()
unset(kineto_LIBRARY)

if(Torch_VERSION VERSION_LESS 2.11)
  message(FATAL_ERROR "tapconv needs torch 2.11 or newer; found ${Torch_VERSION} in ${Torch_DIR}.")
endif()

get_filename_component(torch_root "${Torch_DIR}/../../.." ABSOLUTE)
set(TAPCONV_TORCH_VERSION "${Torch_VERSION}")
if(EXISTS "${torch_root}/version.py")
  file(STRINGS "${torch_root}/version.py" torch_version_line REGEX "^__version__")
  if(torch_version_line MATCHES "'([^']+)'")
    set(TAPCONV_TORCH_VERSION "${CMAKE_MATCH_1}")
  endif()
elseif(EXISTS "${torch_root}/build-version")
  file(STRINGS "${torch_root}/build-version" TAPCONV_TORCH_VERSION LIMIT_COUNT 1)
endif()
message(STATUS "Torch ${TAPCONV_TORCH_VERSION}: ${torch_root}")

# at::parallel_for is a template over "#pragma omp parallel": without -fopenmp here it would run on one thread. The
# runtime must be the very one that libtorch loads, which its wheels bring along; a second would keep a second pool of
# threads and know nothing of torch.set_num_threads.
add_library(tapconv_openmp INTERFACE)
target_compile_options(tapconv_openmp INTERFACE -fopenmp)
file(GLOB torch_openmp_runtime "${torch_root}/lib/libgomp*.so*")
if(torch_openmp_runtime)
  list(GET torch_openmp_runtime 0 torch_openmp_runtime)
  target_link_libraries(tapconv_openmp INTERFACE "${torch_openmp_runtime}")
else()
  target_link_options(tapconv_openmp INTERFACE -fopenmp)
endif()
