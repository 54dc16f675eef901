/// Finds the place of a row by the bytes of its key.
///
/// Open addressing over places; the keys themselves lie in ``Bytes``. Places are given in order: 0, 1, 2 …
struct KeyMap {
    private struct Key {
        let hash: UInt64
        let offset: Int
        let length: Int
    }

    private var keys: ContiguousArray<Key> = []
    private var slots: ContiguousArray<Int32> = ContiguousArray(repeating: -1, count: 256)
    private let bytes = Bytes()

    /// How many different keys it holds.
    var count: Int { keys.count }

    /// Bytes of memory that the keys take.
    var size: Int { bytes.count + keys.count * MemoryLayout<Key>.stride + slots.count * 4 }

    /// The bytes of the key at a place.
    func key(_ place: Int) -> UnsafeRawBufferPointer {
        bytes.view(keys[place].offset, keys[place].length)
    }

    /// Puts places into the order of their keys' bytes.
    func sorted(_ places: [Int]) -> [Int] {
        let heads = places.map { place in (Self.head(key(place), from: 0), Self.head(key(place), from: 8), place) }
        return heads.sorted { one, other in
            guard one.0 == other.0 else { return one.0 < other.0 }
            guard one.1 == other.1 else { return one.1 < other.1 }
            return key(one.2).dropFirst(16).lexicographicallyPrecedes(key(other.2).dropFirst(16))
        }.map(\.2)
    }

    /// Eight bytes of a key as one number that is ordered as they are; zeros where there are none.
    private static func head(_ key: UnsafeRawBufferPointer, from offset: Int) -> UInt64 {
        guard key.count < offset + 8 else {
            return UInt64(bigEndian: key.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        return (offset..<offset + 8).reduce(0) { $0 << 8 | UInt64($1 < key.count ? key[$1] : 0) }
    }

    /// Finds the key, or gives it the next place.
    mutating func place(of key: UnsafeRawBufferPointer) -> (place: Int, isNew: Bool) {
        let hash = Self.hash(key)
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] >= 0 {
            let place = Int(slots[slot])
            if keys[place].hash == hash, self.key(place).isSame(as: key) { return (place, false) }
            slot = (slot + 1) & mask
        }
        let place = keys.count
        keys.append(Key(hash: hash, offset: bytes.append(key), length: key.count))
        slots[slot] = Int32(place)
        if keys.count * 2 > slots.count { grow() }
        return (place, true)
    }

    /// Forgets every key.
    mutating func removeAll() {
        keys.removeAll(keepingCapacity: keys.count < 100_000)
        bytes.removeAll()
        if slots.count > 1 << 18 {
            slots = ContiguousArray(repeating: -1, count: 256)
        } else {
            for slot in slots.indices { slots[slot] = -1 }
        }
    }

    private mutating func grow() {
        slots = ContiguousArray(repeating: -1, count: slots.count * 2)
        let mask = slots.count - 1
        for (place, key) in keys.enumerated() {
            var slot = Int(truncatingIfNeeded: key.hash) & mask
            while slots[slot] >= 0 { slot = (slot + 1) & mask }
            slots[slot] = Int32(place)
        }
    }

    /// Multiply and fold, eight bytes at a time; keys come from the customer's own database, not from an attacker of ours.
    @inline(__always)
    private static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: key.count)
        var offset = 0
        while offset + 8 <= key.count {
            hash = mix(hash ^ key.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var rest: UInt64 = 0
        while offset < key.count {
            rest = rest << 8 | UInt64(key[offset])
            offset += 1
        }
        return mix(hash ^ rest)
    }

    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        return product.high ^ product.low
    }
}
