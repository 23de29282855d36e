# Finds torch: in CMAKE_PREFIX_PATH or Torch_DIR, else the one of the Python in use. Defines the targets `torch` and
# tapconv_openmp, and sets TAPCONV_TORCH_VERSION, with its local part, such as 2.13.0+cpu, TAPCONV_TORCH_CONFIG_DIR,
# where TorchConfig.cmake lies, and TAPCONV_TORCH_ROOT, above its lib/ and include/.

# find_path searches for a variable that is not set, and an empty one is.
unset(TAPCONV_TORCH_CONFIG_DIR)
if(Torch_DIR)
  set(TAPCONV_TORCH_CONFIG_DIR "${Torch_DIR}")
else()
  # The root of an unpacked LibTorch, or what torch.utils.cmake_prefix_path says: <root>/share/cmake.
  find_path(TAPCONV_TORCH_CONFIG_DIR TorchConfig.cmake NO_CACHE NO_DEFAULT_PATH HINTS ${CMAKE_PREFIX_PATH} ENV CMAKE_PREFIX_PATH
            PATH_SUFFIXES share/cmake/Torch Torch)
endif()
if(NOT TAPCONV_TORCH_CONFIG_DIR)
  find_package(Python3 COMPONENTS Interpreter)
  set(torch_import_failed TRUE)
  if(Python3_Interpreter_FOUND)
    execute_process(
      COMMAND "${Python3_EXECUTABLE}" -c "import torch; print(torch.utils.cmake_prefix_path)"
      OUTPUT_VARIABLE torch_prefix_path
      OUTPUT_STRIP_TRAILING_WHITESPACE
      RESULT_VARIABLE torch_import_failed
      ERROR_QUIET)
    set(python_without_torch "${Python3_EXECUTABLE} cannot import it")
  else()
    set(python_without_torch "there is no Python that could import it")
  endif()
  if(torch_import_failed)
    message(
      FATAL_ERROR
        "tapconv needs torch: ${python_without_torch}, and CMAKE_PREFIX_PATH, '${CMAKE_PREFIX_PATH}', names none. "
        "Install torch for that Python, or choose another with -DPython3_EXECUTABLE=..., "
        "or unpack LibTorch and pass -DCMAKE_PREFIX_PATH=/where/it/is/libtorch.")
  endif()
  set(TAPCONV_TORCH_CONFIG_DIR "${torch_prefix_path}/Torch")
endif()
get_filename_component(torch_root "${TAPCONV_TORCH_CONFIG_DIR}/../../.." ABSOLUTE)
set(TAPCONV_TORCH_ROOT "${torch_root}")

if(EXISTS "${torch_root}/version.py")
  file(STRINGS "${torch_root}/version.py" torch_version_line REGEX "^__version__")
  string(REGEX MATCH "[0-9][^']*" TAPCONV_TORCH_VERSION "${torch_version_line}")
elseif(EXISTS "${torch_root}/build-version")
  file(STRINGS "${torch_root}/build-version" TAPCONV_TORCH_VERSION LIMIT_COUNT 1)
endif()
string(REGEX MATCH "^[0-9.]+" torch_release "${TAPCONV_TORCH_VERSION}")
message(STATUS "Torch ${TAPCONV_TORCH_VERSION}: ${torch_root}")
if(torch_release VERSION_LESS 2.11)
  message(FATAL_ERROR "tapconv needs torch 2.11 or newer; found '${TAPCONV_TORCH_VERSION}' in ${torch_root}.")
endif()

# Torch's own package config would do the same, but with a CUDA build of torch it wants the whole CUDA toolkit, of which
# nothing is used here. The target has the name that the config gives it, since programs that link tapconv use that one.
if(NOT TARGET torch)
  add_library(torch INTERFACE IMPORTED)
  target_include_directories(torch INTERFACE "${torch_root}/include"
                                             "${torch_root}/include/torch/csrc/api/include")
  foreach(library torch torch_cpu c10)
    target_link_libraries(torch INTERFACE "${torch_root}/lib/lib${library}.so")
  endforeach()
endif()

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
