# libtapconv.so: the kernels below, the operators and the C++ module. Its sources stand in csrc/*/CMakeLists.txt.

set(TAPCONV_GENERATED_INCLUDE_DIR "${PROJECT_BINARY_DIR}/include")
configure_file(cmake/version.h.in "${TAPCONV_GENERATED_INCLUDE_DIR}/tapconv/version.h" @ONLY)

tapconv_compile_options(tapconv)
target_compile_features(tapconv PUBLIC cxx_std_20)
target_include_directories(
  tapconv
  PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/csrc/include>"
         "$<BUILD_INTERFACE:${TAPCONV_GENERATED_INCLUDE_DIR}>" "$<INSTALL_INTERFACE:include>"
  PRIVATE "${PROJECT_SOURCE_DIR}/csrc")
# DynamicLayer.h of functorch includes <nlohmann/json.hpp>, which the wheels of torch do not ship. See the file there.
target_include_directories(tapconv SYSTEM PRIVATE "${PROJECT_SOURCE_DIR}/csrc/ops/compat")

target_link_libraries(tapconv PUBLIC torch PRIVATE tapconv_kernels tapconv_openmp)
target_link_options(tapconv PRIVATE -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--no-undefined)

# Linkers drop a library that no symbol is taken from, and with it the registration of the operators, which is all that
# a program needs that runs a TorchScript file. So whoever links the target also gets a form that cannot be dropped; the
# plain one stays, because CMake derives the RPATH from it.
target_link_libraries(
  tapconv INTERFACE "-Wl,--push-state,--no-as-needed,\"$<TARGET_FILE:tapconv::tapconv>\",--pop-state")

# Beside torch, as in site-packages, the library finds the runtime it shares with torch even when it is loaded first.
set_target_properties(tapconv PROPERTIES INSTALL_RPATH "$ORIGIN/../../torch/lib")
