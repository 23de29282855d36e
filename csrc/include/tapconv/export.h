// TAPCONV_API marks what libtapconv.so exports. All else stays hidden inside it.
#pragma once

#define TAPCONV_API __attribute__((visibility("default")))
