import Foundation

@testable import Sync

/// A tuple as `pgoutput` writes it, made by hand.
struct TestTuple: Hashable, ExpressibleByArrayLiteral {
    enum Value: Hashable, ExpressibleByStringLiteral, ExpressibleByNilLiteral {
        case null
        case unchanged
        case text(String)

        init(stringLiteral value: String) { self = value == "~" ? .unchanged : .text(value) }
        init(nilLiteral: ()) { self = .null }
    }

    var values: [Value]

    init(arrayLiteral elements: Value...) { values = elements }
    init(_ values: [Value]) { self.values = values }

    var bytes: [UInt8] {
        var bytes = Self.number(Int16(values.count))
        for value in values {
            switch value {
            case .null: bytes.append(UInt8(ascii: "n"))
            case .unchanged: bytes.append(UInt8(ascii: "u"))
            case .text(let text):
                bytes.append(UInt8(ascii: "t"))
                bytes += Self.number(Int32(text.utf8.count)) + Array(text.utf8)
            }
        }
        return bytes
    }

    /// Reads a tuple back.
    init(reading view: UnsafeRawBufferPointer) {
        var slices: ContiguousArray<Tuple.Slice> = []
        Tuple.slice(view, into: &slices)
        values = slices.map { slice in
            switch slice.kind {
            case Tuple.Slice.null: .null
            case Tuple.Slice.unchanged: .unchanged
            default: .text(String(decoding: view[slice.offset..<slice.offset + slice.length], as: UTF8.self))
            }
        }
    }

    static func number<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }
}

/// Messages of `pgoutput`, made by hand.
enum TestMessage {
    static func begin(_ commit: UInt64) -> [UInt8] {
        var bytes = Array("B".utf8) + TestTuple.number(commit)
        bytes += TestTuple.number(Int64(0)) + TestTuple.number(UInt32(7))
        return bytes
    }

    static func commit(_ commit: UInt64, end: UInt64) -> [UInt8] {
        var bytes: [UInt8] = Array("C".utf8) + [0]
        bytes += TestTuple.number(commit) + TestTuple.number(end) + TestTuple.number(Int64(5))
        return bytes
    }

    static func relation(_ id: UInt32, columns: [String] = ["id"]) -> [UInt8] {
        var bytes = Array("R".utf8) + TestTuple.number(id)
        bytes += Array("public\0t\(id)\0d".utf8) + TestTuple.number(Int16(columns.count))
        for (place, name) in columns.enumerated() {
            bytes += [place == 0 ? 1 : 0] + Array(name.utf8) + [0]
            bytes += TestTuple.number(UInt32(23)) + TestTuple.number(Int32(-1))
        }
        return bytes
    }

    static func insert(_ id: UInt32, _ tuple: TestTuple) -> [UInt8] {
        let head = Array("I".utf8) + TestTuple.number(id)
        return head + Array("N".utf8) + tuple.bytes
    }

    static func update(_ id: UInt32, old: (mark: String, tuple: TestTuple)? = nil, new: TestTuple) -> [UInt8] {
        let before = old.map { Array($0.mark.utf8) + $0.tuple.bytes } ?? []
        let head = Array("U".utf8) + TestTuple.number(id)
        return head + before + Array("N".utf8) + new.bytes
    }
}
