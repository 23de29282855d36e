// Marks what libtapconv.so exports; all else stays hidden inside it.
#pragma once

#define TAPCONV_API __attribute__((visibility("default")))
