#pragma once

#include <stddef.h>
#include <stdint.h>

/// Continues a CRC-32C (Castagnoli) over more bytes, by the processor's own instruction where it has one.
uint32_t checksum_crc32c(uint32_t seed, const void *bytes, size_t count);

/// As ``checksum_crc32c``, on every processor.
uint32_t checksum_crc32c_by_table(uint32_t seed, const void *bytes, size_t count);
