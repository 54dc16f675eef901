import Fields
import Foundation
public import Postgres

/// What a mapping file says: which tables and rows are moved, and what they become; see `docs/guide/mapping.md`.
///
/// The file is AWS DMS's table mapping, as JSON or in YAML. Kept in the journal as its text, so that a move that is
/// resumed does not depend on the file.
public struct TableMapping: Sendable, Hashable, Codable {
    /// The file.
    let text: String
    /// Its rules, the one with the lowest number first.
    let rules: [MappingRule]
    /// What is answered to the task settings in it.
    let settings: [TaskSetting]

    /// Reads a file.
    ///
    /// - Throws: what of it cannot be understood, or cannot be done, with the number of the rule.
    public init(parsing text: String) throws(PostgresError) {
        self.text = text
        var file = try FieldReader(FieldNode(parsing: text, as: Self.file), title: "the top", of: Self.file)
        rules = try Self.rules(try file.list("rules"))
        let tuning = rules.flatMap { rule -> [TaskSetting] in
            if case .tuning(let answers) = rule.action { answers } else { [] }
        }
        settings = try TaskSetting.readAll(&file) + tuning
        try file.finish()
        guard !rules.isEmpty || !settings.isEmpty else {
            throw PostgresError("the mapping file has no rules", hint: "Give it a list of \"rules\".")
        }
        for (rule, next) in zip(rules, rules.dropFirst()) where rule.id == next.id {
            throw PostgresError(
                "two rules of the mapping file have the number \(rule.id)",
                hint: "Give every rule a \"rule-id\" of its own: the lower number wins."
            )
        }
        let isSelecting = rules.contains { if case .include = $0.action { true } else { false } }
        guard isSelecting || rules.isEmpty else {
            throw PostgresError(
                "the mapping file selects no table",
                detail: "It has no selection rule with the action \"include\" or \"explicit\".",
                hint: "To select all, add a selection rule with \"schema-name\": \"%\" and \"table-name\": \"%\"."
            )
        }
    }

    static let file = FieldFile(
        title: "the mapping file",
        form: "It is JSON as AWS DMS takes it, or the same structure in YAML.",
        hint: "Nothing of a mapping file is ignored; docs/guide/mapping.md lists what is understood."
    )

    private static func rules(_ nodes: [FieldNode]) throws(PostgresError) -> [MappingRule] {
        var rules: [MappingRule] = []
        for (place, node) in nodes.enumerated() { rules.append(try MappingRule(node, place: place + 1)) }
        return rules.sorted { $0.id < $1.id }
    }

    /// Reads it back from the journal.
    public init(from decoder: any Decoder) throws {
        try self.init(parsing: decoder.singleValueContainer().decode(String.self))
    }

    /// Writes the file's text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    /// Compares the files byte by byte.
    public static func == (left: Self, right: Self) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    /// Hashes the file.
    public func hash(into hasher: inout Hasher) { hasher.combine(Identifier(text)) }
}
