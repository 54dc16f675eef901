/// What one check of a preflight found, and what to do about it.
public struct Finding: Sendable, Hashable, Codable {
    /// How much a finding matters.
    public enum Level: String, Sendable, Hashable, Codable, CaseIterable {
        /// All is well; the message may still say what will happen.
        case pass
        /// All is well, and could be faster.
        case advice
        /// The move can go on, but somebody should know.
        case warning
        /// The move would fail, or lose something.
        case blocker
    }

    /// The server that a finding is about.
    public enum Side: String, Sendable, Hashable, Codable, CaseIterable {
        /// The server that is moved from.
        case source
        /// The server that is moved to.
        case target
        /// Something between them.
        case both
    }

    /// The check's name, such as `source.wal_level`; it stays the same from version to version.
    public let check: String
    /// How much it matters.
    public let level: Level
    /// What was found, in one line.
    public let message: String
    /// Facts, in full sentences or a line each.
    public let detail: String?
    /// Commands to run, SQL or shell, complete with quoted names; often there is a choice, then the first is the best.
    public let remedy: [String]
    /// Where to run the remedy.
    public let side: Side

    /// Describes what a check found; the side is the first part of the check's name.
    init(_ check: String, _ level: Level, _ message: String, detail: String? = nil, remedy: [String] = []) {
        self.check = check
        self.level = level
        self.message = message
        self.detail = detail
        self.remedy = remedy
        side = Side(rawValue: String(check.prefix { $0 != "." })) ?? .both
    }
}

extension Finding {
    /// Names for a message: quoted, the first few, then how many more.
    static func list(_ names: [String], limit: Int = 5) -> String {
        let shown = names.prefix(limit).map { "\"\($0)\"" }.joined(separator: ", ")
        return names.count > limit ? "\(shown) and \(names.count - limit) more" : shown
    }

    /// The same as a sentence that begins with It is, or They are.
    static func named(_ names: [String]) -> String {
        (names.count == 1 ? "It is " : "They are ") + list(names) + "."
    }

    /// A number with its noun: `1 table`, `12 tables`.
    static func count(_ number: Int, _ one: String, _ many: String? = nil) -> String {
        "\(number) \(number == 1 ? one : many ?? one + "s")"
    }

    /// A number of bytes in the unit that people would choose, 1 GB being 1,000,000,000 bytes.
    static func bytes(_ number: Int) -> String {
        var value = Double(number)
        var unit = 0
        let units = ["bytes", "kB", "MB", "GB", "TB", "PB"]
        while value >= 1000, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        let digits = unit == 0 || value >= 100 ? String(Int(value)) : String((value * 10).rounded() / 10)
        return "\(digits) \(units[unit])"
    }

    /// A number of seconds as people would say it.
    static func duration(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded(.up))
        switch whole {
        case ..<120: return "\(whole) s"
        case ..<7200: return "\(whole / 60) min"
        default: return "\(whole / 3600) h \(whole % 3600 / 60) min"
        }
    }
}
