public import Foundation
public import Postgres

/// A table that stands still because the target does not take its changes, while all other tables go on.
///
/// Its changes stay in the spool. martlet tries again by itself, so that the table goes on as soon as
/// what is in its way is mended.
public struct Standstill: Sendable, Hashable, Codable {
    /// The table's OID on the server that is followed.
    public let relation: UInt32
    /// Its schema.
    public let schema: String
    /// Its name.
    public let name: String
    /// All its changes that committed before are applied.
    public internal(set) var position: LSN
    /// Since when.
    public let since: Date
    /// Why, in one line.
    public internal(set) var message: String
    /// Facts.
    public internal(set) var detail: String?
    /// What to do.
    public internal(set) var hint: String?

    /// Where in the spool its changes that are not applied begin.
    var offset: UInt64 = 0
    /// When to try again.
    var next = ContinuousClock.now + .seconds(1)
    /// How often it was tried in vain.
    var tries = 0

    private enum CodingKeys: String, CodingKey {
        case relation, schema, name, position, since, message, detail, hint
    }

    /// The name as people read it.
    public var table: QualifiedName { QualifiedName(schema: schema, name: name) }

    /// The failure that keeps it.
    public var error: PostgresError { PostgresError(message, detail: detail, hint: hint) }

    init(relation: UInt32, table: QualifiedName, position: LSN, offset: UInt64, because error: PostgresError) {
        self.relation = relation
        schema = table.schema
        name = table.name
        self.position = position
        self.offset = offset
        since = Date()
        message = error.message
        detail = error.detail
        hint = error.hint
    }

    /// Notes another try in vain; the next one comes after 2, 4, 8 and then every 10 seconds.
    mutating func fail(because error: PostgresError) {
        message = error.message
        detail = error.detail
        hint = error.hint
        tries += 1
        next = .now + .seconds(min(10, 1 << min(tries, 4)))
    }
}
