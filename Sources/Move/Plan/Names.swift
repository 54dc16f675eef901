public import Postgres

/// The names of what a migration makes on the servers; its id is in each, so that two migrations never share one.
public struct Names: Sendable, Hashable {
    /// The migration's id.
    public let id: String

    /// Derives the names from an id.
    public init(id: String) {
        self.id = id
    }

    /// A new id: eight letters and digits.
    public static func newID() -> String {
        String((0..<8).map { _ in "abcdefghijkmnpqrstuvwxyz23456789".randomElement() ?? "a" })
    }

    /// The slot on the source.
    public var slot: Identifier { Identifier("martlet_\(id)") }
    /// The publication, on either server.
    public var publication: Identifier { Identifier("martlet_\(id)") }
    /// The slot on the target that carries changes back after a cutover.
    public var reverseSlot: Identifier { Identifier("martlet_\(id)_reverse") }
    /// The folder of spools and definitions in the work directory; other moves may use the same one.
    var folder: String { "martlet_\(id)" }
    /// The slot that lives only as long as it takes to make a snapshot.
    public var temporarySlot: Identifier { Identifier("martlet_\(id)_snapshot") }
}
