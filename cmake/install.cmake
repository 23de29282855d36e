# The install tree: lib/, include/tapconv/, share/cmake/tapconv/. The Python package holds the same tree inside itself.
include(CMakePackageConfigHelpers)

set(tapconv_config_dir share/cmake/tapconv)

install(TARGETS tapconv EXPORT tapconvTargets LIBRARY DESTINATION lib)
install(DIRECTORY csrc/include/tapconv DESTINATION include FILES_MATCHING PATTERN "*.h")
install(FILES "${TAPCONV_GENERATED_INCLUDE_DIR}/tapconv/version.h" DESTINATION include/tapconv)

configure_file(cmake/build_info.json.in build_info.json @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/build_info.json" DESTINATION lib)

install(
  EXPORT tapconvTargets
  NAMESPACE tapconv::
  DESTINATION ${tapconv_config_dir})
configure_package_config_file(cmake/tapconvConfig.cmake.in tapconvConfig.cmake
                              INSTALL_DESTINATION ${tapconv_config_dir})
write_basic_package_version_file(tapconvConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/tapconvConfig.cmake" "${PROJECT_BINARY_DIR}/tapconvConfigVersion.cmake"
        DESTINATION ${tapconv_config_dir})
