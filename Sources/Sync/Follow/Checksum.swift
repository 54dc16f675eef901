import CChecksum

/// CRC-32C (Castagnoli): the checksum that PostgreSQL's own log carries.
enum Checksum {
    static func crc32c(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        checksum_crc32c(seed, bytes.baseAddress, bytes.count)
    }
}
