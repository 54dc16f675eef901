import Postgres

/// One thing in which the definitions of two databases differ.
///
/// Written as JSON it is meant for programs: its keys do not change.
public struct SchemaDifference: Codable, Sendable, Hashable {
    /// Which side has it.
    public enum Presence: String, Codable, Sendable, CaseIterable {
        /// The target lacks the object.
        case onlyInSource
        /// The source lacks the object.
        case onlyInTarget
        /// Both have the object, and not alike.
        case different
    }

    /// What kind of object it is: `table`, `column`, `function`, as the server's `pg_identify_object` says.
    public var kind: String
    /// The object's name, with its schema and quoted where SQL needs it; empty for the database itself.
    public var name: String
    /// Which side has it.
    public var presence: Presence
    /// What of it is different: `owner`, `definition`, `comment`; nil when a side has no such object.
    public var property: String?
    /// What the source has; nil is nothing.
    public var source: String?
    /// What the target has; nil is nothing.
    public var target: String?
    /// Statements for the target that would make it as on the source, where they are simple.
    public var remedy: [String] = []

    /// The roles that the source's value names, which a target may lack.
    var roles: [String] {
        guard let source else { return [] }
        if property == "owner" { return [source] }
        guard let role = property?.rest(after: "privileges of ") else { return [] }
        return ["PUBLIC", "the owner"].contains(role) ? [] : [role]
    }
}

/// A difference, and where the object is that it was found in.
public struct SchemaFinding: Sendable, Hashable {
    /// The difference.
    public var difference: SchemaDifference
    /// The OID of the catalog that the object is in.
    public let catalog: UInt32
    /// The object's OID on the source, or on the target when only that one has it.
    public let oid: UInt32
}
