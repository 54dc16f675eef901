import Postgres

/// Rows that were fetched to be put side by side: each a key and a number, the row's hash.
///
/// Without a key, the key is the hash and the number says how many rows have it.
struct RowLines: Sendable {
    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    private(set) var numbers: [Int64] = []

    var count: Int { numbers.count }

    /// A key in the text form of COPY.
    func withKey<Result>(_ place: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { bytes in
            body(UnsafeRawBufferPointer(rebasing: bytes[(place == 0 ? 0 : ends[place - 1])..<ends[place]]))
        }
    }

    /// Adds a line of COPY: the key's columns, then the number.
    mutating func add(line: UnsafeRawBufferPointer) throws(PostgresError) {
        var end = line.count
        if end > 0, line[end - 1] == UInt8(ascii: "\n") { end -= 1 }
        guard let tab = line[..<end].lastIndex(of: UInt8(ascii: "\t")),
            let number = Int64(String(decoding: line[(tab + 1)..<end], as: UTF8.self))
        else { throw PostgresError("could not read a row that was fetched for comparison") }
        bytes.append(contentsOf: line[..<tab])
        ends.append(bytes.count)
        numbers.append(number)
    }

    /// Adds a row of a result: the key's columns, then the number.
    mutating func add(row: Row) throws {
        var line: [UInt8] = []
        for place in 0..<row.count {
            if place > 0 { line.append(UInt8(ascii: "\t")) }
            Self.write(row.text(place), &line)
        }
        try line.withUnsafeBytes { try add(line: $0) }
    }

    /// Byte by byte: to Swift a line's two end characters are one, and a backslash with an accent after it is none.
    private static func write(_ text: String?, _ line: inout [UInt8]) {
        guard let text else { return line.append(contentsOf: "\\N".utf8) }
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): line.append(contentsOf: "\\\\".utf8)
            case UInt8(ascii: "\t"): line.append(contentsOf: "\\t".utf8)
            case UInt8(ascii: "\n"): line.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\r"): line.append(contentsOf: "\\r".utf8)
            default: line.append(byte)
            }
        }
    }

    /// A key's values by column name; control characters stay as COPY writes them.
    static func values(of key: UnsafeRawBufferPointer, columns: [Identifier]) -> [String: String] {
        let fields = key.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
        return Dictionary(
            zip(columns, fields).map { ($0.name, value(of: $1)) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    private static func value(of field: Slice<UnsafeRawBufferPointer>) -> String {
        let backslash = UInt8(ascii: "\\")
        var bytes: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            bytes.append(byte)
            if byte == backslash, rest.first == backslash { rest = rest.dropFirst() }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Differences {
    /// Puts rows of both sides side by side.
    mutating func add(source: RowLines, target: RowLines, key: [Identifier]) {
        key.isEmpty ? addCounts(source, target) : addKeyed(source, target, key)
    }

    /// Without a key: of each kind of row, one side has some more than the other.
    private mutating func addCounts(_ source: RowLines, _ target: RowLines) {
        var map = KeyMap()
        var balance: [Int] = []
        for (lines, sign) in [(source, 1), (target, -1)] {
            for place in 0..<lines.count {
                let (slot, isNew) = lines.withKey(place) { map.place(of: $0) }
                if isNew { balance.append(0) }
                balance[slot] += sign * Int(lines.numbers[place])
            }
        }
        onlyInSource += balance.reduce(0) { $0 + max($1, 0) }
        onlyInTarget += balance.reduce(0) { $0 + max(-$1, 0) }
    }

    private mutating func addKeyed(_ source: RowLines, _ target: RowLines, _ key: [Identifier]) {
        var map = KeyMap()
        var rows: [Int] = []
        for place in 0..<source.count {
            let (_, isNew) = source.withKey(place) { map.place(of: $0) }
            if isNew {
                rows.append(place)
            } else {
                add(.onlyInSource, key: source.withKey(place) { RowLines.values(of: $0, columns: key) })
            }
        }
        var isSeen = [Bool](repeating: false, count: rows.count)
        for place in 0..<target.count {
            let (slot, isNew) = target.withKey(place) { map.place(of: $0) }
            // A key that comes twice has no second partner.
            if isNew || slot >= rows.count || isSeen[slot] {
                add(.onlyInTarget, key: target.withKey(place) { RowLines.values(of: $0, columns: key) })
                continue
            }
            isSeen[slot] = true
            if source.numbers[rows[slot]] != target.numbers[place] {
                add(.different, key: target.withKey(place) { RowLines.values(of: $0, columns: key) })
            }
        }
        for (slot, place) in rows.enumerated() where !isSeen[slot] {
            add(.onlyInSource, key: source.withKey(place) { RowLines.values(of: $0, columns: key) })
        }
    }
}
