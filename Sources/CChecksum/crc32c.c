// Swift has no name for the instructions that compute CRC-32C, eight bytes in three cycles: SSE 4.2 on x86, an extension on Arm.
// As in PostgreSQL, which has the same checksum in its log, they are looked for when the program runs.

#include "CChecksum.h"

#include <string.h>

static uint32_t by_table(uint32_t crc, const uint8_t *bytes, size_t count) {
    // Half a byte at a time: 16 entries need no start.
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    for (; count > 0; bytes++, count--) {
        crc = crc >> 4 ^ table[(crc ^ *bytes) & 15];
        crc = crc >> 4 ^ table[(crc ^ *bytes >> 4) & 15];
    }
    return crc;
}

#if defined(__x86_64__)

#include <nmmintrin.h>

static int has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *bytes, size_t count) {
    for (; count >= 8; bytes += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        crc = (uint32_t)_mm_crc32_u64(crc, word);
    }
    for (; count > 0; bytes++, count--) crc = _mm_crc32_u8(crc, *bytes);
    return crc;
}

#elif defined(__aarch64__) && defined(__linux__)

#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>

static int has_instruction(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }

__attribute__((target("crc"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *bytes, size_t count) {
    for (; count >= 8; bytes += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        crc = __crc32cd(crc, word);
    }
    for (; count > 0; bytes++, count--) crc = __crc32cb(crc, *bytes);
    return crc;
}

#else

static int has_instruction(void) { return 0; }

static uint32_t by_instruction(uint32_t crc, const uint8_t *bytes, size_t count) { return by_table(crc, bytes, count); }

#endif

uint32_t checksum_crc32c(uint32_t seed, const void *bytes, size_t count) {
    return ~(has_instruction() ? by_instruction(~seed, bytes, count) : by_table(~seed, bytes, count));
}

uint32_t checksum_crc32c_by_table(uint32_t seed, const void *bytes, size_t count) { return ~by_table(~seed, bytes, count); }
