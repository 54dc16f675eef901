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
