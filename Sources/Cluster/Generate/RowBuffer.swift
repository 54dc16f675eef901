/// Rows as COPY reads them, gathered in one block of memory.
struct RowBuffer: Sendable {
    /// A form in which COPY reads rows (manual, "COPY", "File Formats").
    enum Format: Sendable {
        /// Fields end with a tab, and `\N` is NULL.
        case text
        /// Fields end with a comma, and nothing is NULL.
        case csv
    }

    let format: Format
    private(set) var bytes: [UInt8] = []

    init(_ format: Format) {
        self.format = format
        bytes.reserveCapacity(80 << 10)
    }

    var count: Int { bytes.count }

    /// Forgets the rows, and keeps their room.
    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// Forgets what was added since the buffer had so many bytes.
    mutating func cut(to count: Int) { bytes.removeLast(bytes.count - count) }

    // MARK: Parts of a value

    mutating func append(_ byte: UInt8) { bytes.append(byte) }

    mutating func append(_ text: [UInt8]) { bytes.append(contentsOf: text) }

    mutating func append(_ text: ArraySlice<UInt8>) { bytes.append(contentsOf: text) }

    mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    /// Adds a whole number in decimal digits, `digits` of them at least.
    mutating func append(_ number: UInt64, digits: Int = 1) {
        let start = bytes.count
        var (rest, written) = (number, 0)
        repeat {
            bytes.append(UInt8(truncatingIfNeeded: rest % 10) &+ UInt8(ascii: "0"))
            rest /= 10
            written += 1
        } while rest > 0 || written < digits
        bytes[start...].reverse()
    }

    /// Adds bytes of a number in hexadecimal digits, the highest first.
    mutating func appendHex(_ number: UInt64, bytes count: Int) {
        for place in stride(from: count * 8 - 4, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: number >> UInt64(place) & 15)
            bytes.append(digit < 10 ? digit &+ UInt8(ascii: "0") : digit &+ (UInt8(ascii: "a") - 10))
        }
    }

    // MARK: Fields

    mutating func appendNull() { if format == .text { append(#"\N"#) } }

    mutating func endField() { bytes.append(format == .text ? UInt8(ascii: "\t") : UInt8(ascii: ",")) }

    /// Ends a row, whose last field has its end already.
    mutating func endRow() { bytes[bytes.count - 1] = UInt8(ascii: "\n") }

    /// Escapes what was added since `start` and would be read as something else.
    mutating func protect(from start: Int) {
        switch format {
        case .text:
            guard bytes[start...].contains(where: { $0 == UInt8(ascii: "\\") || $0 == 9 || $0 == 10 || $0 == 13 })
            else { return }
            let raw = Array(bytes[start...])
            cut(to: start)
            for byte in raw {
                switch byte {
                case UInt8(ascii: "\\"): append(#"\\"#)
                case 9: append(#"\t"#)
                case 10: append(#"\n"#)
                case 13: append(#"\r"#)
                default: bytes.append(byte)
                }
            }
        case .csv:
            // Nothing without quotes is NULL, and \. by itself ended the data before version 18.
            let quote = UInt8(ascii: "\"")
            let special: Set<UInt8> = [quote, UInt8(ascii: ","), UInt8(ascii: "\\"), 10, 13]
            guard bytes.count == start || bytes[start...].contains(where: special.contains) else { return }
            let raw = Array(bytes[start...])
            cut(to: start)
            bytes.append(quote)
            for byte in raw {
                if byte == quote { bytes.append(quote) }
                bytes.append(byte)
            }
            bytes.append(quote)
        }
    }
}
