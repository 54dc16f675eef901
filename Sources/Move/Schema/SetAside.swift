import Engine
import Postgres
import Sync

/// What has to keep still on a server while martlet writes to it, and is given back when applications do.
struct SetAside {
    /// What is given back before an application writes.
    static let kinds = [ReplicaTriggers.kind, ForeignKeysAside.kind]
    /// All of it: validations wait until writers are at work.
    static let allKinds = kinds + [ForeignKeysAside.validationKind]

    let side: Journal.Side
    let role: SessionRole
    /// The OIDs of the tables on that side.
    let tables: [UInt32]

    /// Sets triggers, rules and, where sessions cannot act as a replica, foreign keys aside; returns how many.
    ///
    /// To be called in a transaction; see ``ReplicaTriggers`` and ``ForeignKeysAside`` for the locks. May be repeated.
    @discardableResult
    func suspend(on server: Connection, journal: Connection) throws -> Int {
        let triggers = try ReplicaTriggers(side: side, role: role, tables: tables).suspend(on: server, journal: journal)
        guard role == .origin else { return triggers }
        return triggers + (try ForeignKeysAside(side: side, tables: tables).suspend(on: server, journal: journal))
    }

    /// Gives triggers, rules and foreign keys back in one transaction, the latter not validated yet.
    ///
    /// Triggers are as they were: ENABLE, ENABLE ALWAYS or ENABLE REPLICA. May be repeated. A crash before the journal
    /// knows of it leaves what ``suspend(on:journal:)`` finds and sets aside again.
    static func giveBack(on side: Journal.Side, _ server: Connection, journal: Connection) async throws {
        let objects = try Journal.objects(kinds: kinds, on: journal).filter { $0.side == side }
        guard !objects.isEmpty else { return }
        try await Gate.patient.pass(server) {
            try server.execute(.joined(objects.map(\.undo), separator: "; "))
        }
        try await journal.transaction {
            for object in objects { try Journal.noteRemoved(object, on: journal) }
        }
    }
}
