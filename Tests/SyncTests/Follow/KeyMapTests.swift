import CChecksum
import Testing

@testable import Sync

struct KeyMapTests {
    @Test func `every key gets one place, in order`() {
        var map = KeyMap()
        let keys = (0..<20_000).map { "key \($0 % 10_000)" }
        let places = keys.map { key in Array(key.utf8).withUnsafeBytes { map.place(of: $0) } }
        #expect(places.map(\.place) == keys.indices.map { $0 % 10_000 })
        #expect(places.map(\.isNew) == keys.indices.map { $0 < 10_000 })
        #expect(map.count == 10_000)
        #expect(String(decoding: map.key(77), as: UTF8.self) == "key 77")
    }

    @Test func `keys that are alike are told apart`() {
        var map = KeyMap()
        let keys: [[UInt8]] = [
            [], [0], [0, 0], Array(repeating: 0, count: 8), Array(repeating: 0, count: 9), [1, 0], [0, 1],
        ]
        #expect(keys.map { key in key.withUnsafeBytes { map.place(of: $0).place } } == Array(keys.indices))
        map.removeAll()
        #expect(map.count == 0)
        #expect([UInt8(1)].withUnsafeBytes { map.place(of: $0) } == (0, true))
    }

    @Test(
        arguments: [
            ("123456789", 0xE306_9283), ("", 0), (String(repeating: "\0", count: 32), 0x8A91_36AA),
            ("The quick brown fox jumps over the lazy dog", 0x2262_0404),
        ] as [(String, UInt32)]
    )
    func `checksums are those of RFC 3720`(text: String, sum: UInt32) {
        #expect(Array(text.utf8).withUnsafeBytes { Checksum.crc32c($0) } == sum)
    }

    @Test func `the processor's checksum is that of the table`() {
        var bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 73 ^ $0 >> 3) }
        for count in bytes.indices {
            bytes[count] ^= 0x55
            let same = bytes.prefix(count).withUnsafeBytes { part in
                checksum_crc32c(7, part.baseAddress, count) == checksum_crc32c_by_table(7, part.baseAddress, count)
            }
            #expect(same, "\(count) bytes")
        }
    }

    @Test func `places are sorted by their keys' bytes`() {
        var map = KeyMap()
        let keys = (0..<2000).map { number -> [UInt8] in
            let random = UInt64(number) &* 0x9E37_79B9_7F4A_7C15
            return (0..<(number % 31)).map { UInt8(truncatingIfNeeded: random >> UInt64($0 % 3 * 20)) & 3 }
                + withUnsafeBytes(of: UInt16(number).bigEndian, Array.init)
        }
        for key in keys { _ = key.withUnsafeBytes { map.place(of: $0) } }
        let even = keys.indices.filter { $0 % 2 == 0 }
        let sorted = map.sorted(even)
        #expect(Set(sorted) == Set(even))
        // Zeros stand for what is not there, so only longer heads than sixteen bytes tell such keys apart.
        func head(_ key: [UInt8]) -> [UInt8] { Array((key + Array(repeating: 0, count: 16)).prefix(16)) }
        for (one, other) in zip(sorted.map { keys[$0] }, sorted.dropFirst().map { keys[$0] }) {
            let isBefore = head(one).lexicographicallyPrecedes(head(other))
            #expect(
                isBefore
                    || head(one) == head(other) && !other.dropFirst(16).lexicographicallyPrecedes(one.dropFirst(16))
            )
        }
    }

    @Test func `a changed bit changes the checksum`() {
        var bytes = (0..<100).map { UInt8($0) }
        let sum = bytes.withUnsafeBytes { Checksum.crc32c($0) }
        for place in bytes.indices {
            bytes[place] ^= 0x10
            #expect(bytes.withUnsafeBytes { Checksum.crc32c($0) } != sum)
            bytes[place] ^= 0x10
        }
    }
}
