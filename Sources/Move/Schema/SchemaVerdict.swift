public import Catalog

/// What a comparison of the definitions of two databases found.
///
/// Written as JSON it is meant for programs: its keys do not change. ``lines`` is for people.
public struct SchemaVerdict: Codable, Sendable, Hashable {
    /// Differences that have one reason.
    public struct AskedFor: Codable, Sendable, Hashable {
        /// Why they are there.
        public var reason: String
        /// The differences.
        public var differences: [SchemaDifference]
    }

    /// Whether nothing differs but what was asked for.
    public var equal: Bool
    /// What differs and was not asked for, by kind and name.
    public var differences: [SchemaDifference]
    /// What differs because it should.
    public var askedFor: [AskedFor]
    /// How many objects both sides have.
    public var objects: Int
    /// The source's major version.
    public var sourceVersion: Int
    /// The target's major version.
    public var targetVersion: Int
    /// How long it took.
    public var seconds: Double
}

extension SchemaVerdict {
    /// The verdict for people: the differences by object, what was asked for in a line each, then one line that sums up.
    public var lines: [String] {
        var lines: [String] = []
        var place = 0
        while place < differences.count {
            let first = differences[place]
            let end = differences[place...].firstIndex { $0.kind != first.kind || $0.name != first.name }
            lines += Self.lines(of: Array(differences[place..<(end ?? differences.count)]))
            place = end ?? differences.count
        }
        return lines + askedFor.map(\.line) + [summary]
    }

    /// What came out, in one line.
    public var summary: String {
        let things = Set(differences.map { [$0.kind, $0.name] }).count
        let outcome =
            equal
            ? "the definitions are equal" : "\(Finding.count(things, "object")) \(things == 1 ? "differs" : "differ")"
        let versions = "PostgreSQL \(sourceVersion) and \(targetVersion)"
        return "\(outcome): \(Finding.count(objects, "object")) on both sides, \(versions)"
    }

    private static func lines(of differences: [SchemaDifference]) -> [String] {
        guard let first = differences.first else { return [] }
        let texts = differences.map(\.text)
        let lines = texts.count == 1 ? ["\(first.title): \(texts[0])"] : ["\(first.title):"] + texts.map { "  \($0)" }
        let statements = differences.flatMap(\.remedy).flatMap { $0.split(separator: "\n") }
        return lines + statements.map { "    \($0)" }
    }
}

extension SchemaVerdict.AskedFor {
    /// Why, how many, and some of them.
    fileprivate var line: String {
        var titles: [String] = []
        for title in differences.map(\.title) where !titles.contains(title) {
            titles.append(title)
            if titles.count == 4 { break }
        }
        let shown = titles.prefix(3).joined(separator: ", ")
        return "asked for: \(reason): \(shown)\(titles.count > 3 ? " and more (--json lists all)" : "")"
    }
}

extension SchemaDifference {
    /// The object, for people.
    var title: String { name.isEmpty ? kind : "\(kind) \"\(name)\"" }

    /// What is the matter with it, in one line.
    fileprivate var text: String {
        switch presence {
        case .onlyInSource: return "only on the source"
        case .onlyInTarget: return "only on the target"
        case .different:
            let (old, new) = Self.shortened(source, target)
            return "\(property ?? ""): \(old) on the source, \(new) on the target"
        }
    }

    /// Both values in a line each, from shortly before the place where they begin to differ.
    private static func shortened(_ one: String?, _ other: String?) -> (String, String) {
        let texts = [one, other].map { $0.map(flat) }
        let common = zip(texts[0] ?? "", texts[1] ?? "").prefix { $0 == $1 }.count
        func short(_ text: String?) -> String {
            guard let text else { return "none" }
            guard text.count > 60 else { return text.isEmpty ? "''" : text }
            let start = common > 40 ? common - 20 : 0
            let part = text.dropFirst(start).prefix(56)
            return (start > 0 ? "…" : "") + part + (start + part.count < text.count ? "…" : "")
        }
        return (short(texts[0]), short(texts[1]))
    }

    private static func flat(_ text: String) -> String {
        text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
