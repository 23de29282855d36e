# What every target of this project compiles and links with.

# tapconv_compile_options(<target>): warnings for our own code. They are private, and headers of torch and GoogleTest
# come in as system headers, so neither users nor dependencies are held to them.
function(tapconv_compile_options target)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra>
                                           $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>)
  if(TAPCONV_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Werror>
                                             $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Werror;-Werror=all-warnings>)
  endif()
endfunction()

if(TAPCONV_SANITIZE)
  add_compile_options(-fsanitize=${TAPCONV_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${TAPCONV_SANITIZE})
endif()

# Guides libFuzzer by what the planners do. The instruction sets' units branch on little but lengths, and would take
# minutes more to compile.
function(tapconv_fuzzer_coverage target)
  if(TAPCONV_LIBFUZZER)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()
