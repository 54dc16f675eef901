import Foundation

/// Raw memory that grows at its end and is emptied as a whole.
///
/// The hot path keeps tuples here instead of in arrays: adding a tuple is one copy, forgetting
/// ten thousand of them is one assignment.
final class Bytes {
    private(set) var start: UnsafeMutableRawPointer
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int = 64 << 10) {
        self.capacity = capacity
        start = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        start.deallocate()
    }

    /// Forgets the content; gives memory beyond `keeping` back.
    func removeAll(keeping limit: Int = 16 << 20) {
        count = 0
        guard capacity > limit else { return }
        start.deallocate()
        capacity = 64 << 10
        start = .allocate(byteCount: capacity, alignment: 16)
    }

    /// Makes room and returns where the added bytes begin.
    @inline(__always)
    func extend(by length: Int) -> Int {
        let offset = count
        if count + length > capacity { grow(to: count + length) }
        count += length
        return offset
    }

    private func grow(to needed: Int) {
        capacity = max(needed, capacity * 2)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: start, byteCount: count)
        start.deallocate()
        start = larger
    }

    /// Adds bytes and returns where they begin.
    @inline(__always)
    @discardableResult
    func append(_ bytes: UnsafeRawBufferPointer) -> Int {
        let offset = extend(by: bytes.count)
        if let source = bytes.baseAddress { (start + offset).copyMemory(from: source, byteCount: bytes.count) }
        return offset
    }

    /// Adds a whole number in network order.
    @inline(__always)
    func append<Number: FixedWidthInteger>(bigEndian number: Number) {
        let offset = extend(by: MemoryLayout<Number>.size)
        (start + offset).storeBytes(of: number.bigEndian, as: Number.self)
    }

    /// Overwrites a whole number in network order.
    func store<Number: FixedWidthInteger>(bigEndian number: Number, at offset: Int) {
        (start + offset).storeBytes(of: number.bigEndian, as: Number.self)
    }

    /// A view of some of the bytes, valid until the next addition.
    @inline(__always)
    func view(_ offset: Int, _ length: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: start + offset, count: length)
    }

    /// A view of everything, valid until the next addition.
    var view: UnsafeRawBufferPointer { view(0, count) }
}

extension UnsafeRawBufferPointer {
    /// Reads a whole number in network order.
    @inline(__always)
    func bigEndian<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type = Number.self) -> Number {
        Number(bigEndian: loadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    /// A view of the bytes from `offset` on.
    @inline(__always)
    func suffix(at offset: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[offset...])
    }

    /// Whether two views hold the same bytes.
    @inline(__always)
    func isSame(as other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard let a = baseAddress, let b = other.baseAddress else { return true }
        return memcmp(a, b, count) == 0
    }
}
