public import Postgres

/// How much of the servers a run may take; of the run, not of the move: the next run may have others.
public struct Limits: Sendable, Hashable {
    /// Bytes a second that all workers of this process together may copy; nil is as fast as it goes.
    public var rate: Int?
    /// The number of other sessions at work on the source above which the copy holds.
    public var sourceLoad: Int?
    /// How far a physical replica of either server may be behind before the copy holds.
    public var replicaLag: Duration?

    /// Limits nothing.
    public init() {}

    /// Whether somebody has to look at the servers to keep them.
    var asksServers: Bool { sourceLoad != nil || replicaLag != nil }
}

/// Sizes and times as PostgreSQL's configuration writes them: `50MB`, `1.5 GB`, `10s`, `2min`.
///
/// A number without a unit is refused: it means something else in every setting of PostgreSQL.
public enum ServerUnit {
    private static let sizes: [(name: String, factor: Double)] = [
        ("kB", 1024), ("MB", 1_048_576), ("GB", 1_073_741_824), ("TB", 1_099_511_627_776), ("B", 1),
    ]
    private static let times: [(name: String, factor: Double)] = [
        ("us", 0.000001), ("ms", 0.001), ("min", 60), ("s", 1), ("h", 3600), ("d", 86_400),
    ]

    /// Reads a size in bytes; `/s` may follow it.
    ///
    /// - Throws: what is wrong with it, of which `what` is the name.
    public static func bytes(_ text: String, for what: String) throws(PostgresError) -> Int {
        let size = text.hasSuffix("/s") ? text.dropLast(2) : text[...]
        let value = try number(size, sizes, for: what, units: "B, kB, MB, GB or TB", example: "50MB")
        guard value >= 1024, value < 0x1p60 else {
            throw PostgresError(
                "\(what) cannot be \"\(text)\"",
                hint: "It is a rate from 1kB a second upwards, such as 50MB."
            )
        }
        return Int(value)
    }

    /// Reads a time.
    ///
    /// - Throws: what is wrong with it, of which `what` is the name.
    public static func duration(_ text: String, for what: String) throws(PostgresError) -> Duration {
        let value = try number(text[...], times, for: what, units: "us, ms, s, min, h or d", example: "10s")
        guard value >= 1, value <= 30 * 86_400 else {
            throw PostgresError("\(what) cannot be \"\(text)\"", hint: "It is a time from 1s to 30d, such as 10s.")
        }
        return .milliseconds(Int((value * 1000).rounded()))
    }

    private static func number(
        _ text: Substring,
        _ units: [(name: String, factor: Double)],
        for what: String,
        units names: String,
        example: String
    ) throws(PostgresError) -> Double {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }
        // Double reads more than people write: hexadecimal, "inf" and "1e9" do not get here.
        guard let number = Double(digits), number.isFinite, let factor = units.first(where: { $0.name == unit })?.factor
        else {
            throw PostgresError(
                "\(what) cannot be \"\(text)\"",
                hint: "It is a number with a unit, \(names), such as \(example)."
            )
        }
        return number * factor
    }
}
