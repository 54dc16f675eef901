/// A log sequence number: a byte position in a server's write-ahead log.
public struct LSN: Sendable, Hashable, Comparable {
    /// The position in bytes.
    public let value: UInt64

    /// Creates a position.
    public init(_ value: UInt64) {
        self.value = value
    }

    /// Before every position; what a server calls an invalid LSN.
    public static let zero = LSN(0)

    /// Reads the form that servers print, `16/B374D848`.
    public init?(_ text: some StringProtocol) {
        let halves = text.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2, halves.allSatisfy({ $0.allSatisfy(\.isHexDigit) }),
            let high = UInt32(halves[0], radix: 16),
            let low = UInt32(halves[1], radix: 16)
        else { return nil }
        self.init(UInt64(high) << 32 | UInt64(low))
    }

    /// Orders by position.
    public static func < (left: LSN, right: LSN) -> Bool {
        left.value < right.value
    }

    /// Bytes of log from `earlier` to here; 0 when `earlier` is not earlier.
    public func bytes(since earlier: LSN) -> UInt64 {
        value > earlier.value ? value - earlier.value : 0
    }
}

extension LSN: CustomStringConvertible {
    /// The form that servers print, `16/B374D848`.
    public var description: String {
        String(value >> 32, radix: 16, uppercase: true) + "/" + String(value & 0xFFFF_FFFF, radix: 16, uppercase: true)
    }
}

extension LSN: Codable {
    /// Reads the form that servers print.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let lsn = LSN(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a log sequence number")
        }
        self = lsn
    }

    /// Writes the form that servers print.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
