public import Engine
public import Foundation
import Postgres

/// Removes what martlet made, and only that: what the journal lists.
public struct Cleanup: Sendable {
    /// One thing that was removed, or had to be left.
    public struct Removed: Sendable, Hashable, Codable {
        /// The server.
        public var side: String
        /// What it was.
        public var kind: String
        /// Its name.
        public var name: String
        /// What was left of it and why, for people; nil when nothing was.
        public var left: String?
    }

    let endpoints: Endpoints
    let directory: URL

    /// Prepares a clean-up; `directory` is the work directory, in which the move's folder goes too.
    public init(endpoints: Endpoints, directory: URL) {
        self.endpoints = endpoints
        self.directory = directory
    }

    /// Takes back what the journal lists, the newest first, and marks each as removed.
    ///
    /// May be run again after a failure. Locks are asked for a moment at a time. With `dropsCopy` nobody will need
    /// what was set aside on the target's tables.
    @discardableResult
    public func removeObjects(
        kinds: [String]? = nil,
        side: Journal.Side? = nil,
        dropsCopy: Bool = false
    ) async throws -> [Removed] {
        try await withNeutralConnection(to: endpoints.target, application: "martlet cleanup") { journal in
            try journal.keepEventTriggersQuiet()
            let objects = try Journal.objects(kinds: kinds, on: journal).filter { side == nil || $0.side == side }
            guard objects.contains(where: { $0.side == .source }) else {
                return try await remove(objects, from: nil, journal, dropsCopy: dropsCopy)
            }
            return try await withNeutralConnection(to: endpoints.source, application: "martlet cleanup") { source in
                try source.keepEventTriggersQuiet()
                return try await remove(objects, from: source, journal, dropsCopy: dropsCopy)
            }
        }
    }

    /// Lets writers in again, and removes the fence as far as nobody holds on to its tables; may be repeated.
    ///
    /// A trigger that cannot be dropped now does nothing any more: it stays, with its entry, until the end of the move.
    func openFence(of side: Journal.Side) async throws {
        try await withNeutralConnection(to: endpoints[side], application: "martlet fence") { server in
            try server.keepEventTriggersQuiet()
            try Fence.open(on: server)
            try await Fence.drop(on: server)
            guard try server.query(MoveSQL.fenceTriggers).isEmpty else { return }
            try await withNeutralConnection(to: endpoints.target, application: "martlet cleanup") { journal in
                for object in try Journal.objects(kinds: [Fence.kind], on: journal) where object.side == side {
                    try Journal.noteRemoved(object, on: journal)
                }
            }
        }
    }

    private func remove(
        _ objects: [Journal.Object],
        from source: Connection?,
        _ journal: Connection,
        dropsCopy: Bool
    ) async throws -> [Removed] {
        var removed: [Removed] = []
        for object in objects {
            let isDropped = dropsCopy && object.side == .target && SetAside.allKinds.contains(object.kind)
            let server = object.side == .source ? source ?? journal : journal
            let left = isDropped ? nil : try await undo(object, on: server)
            try Journal.noteRemoved(object, on: journal)
            guard !isDropped else { continue }
            if let left { try Journal.note(left, on: journal) }
            removed.append(Removed(side: object.side.rawValue, kind: object.kind, name: object.name, left: left))
        }
        return removed
    }

    /// What is on a source that does not exist any more, each with the statement that would remove it there.
    public func objectsOnSource() async throws -> [Removed] {
        try await withNeutralConnection(to: endpoints.target, application: "martlet cleanup") { journal in
            try Journal.objects(kinds: nil, on: journal).filter { $0.side == .source }.map { object in
                let left = "\(object.kind) \"\(object.name)\"; if that server comes back: \(object.undo.text)"
                return Removed(side: object.side.rawValue, kind: object.kind, name: object.name, left: left)
            }
        }
    }

    /// Removes the journal, and what the move has in the work directory besides its log files.
    ///
    /// With `dropsCopy` the copied tables go as well, so that the target is as empty as before. A deadlock, with
    /// sessions of ours that still end or whoever looks at the tables, is no failure: then it tries again.
    public func removeJournal(dropsCopy: Bool) async throws {
        try await withNeutralConnection(to: endpoints.target, application: "martlet cleanup") { target in
            try target.keepEventTriggersQuiet()
            let migration = try Journal.migration(on: target)
            // From this phase on there may be tables, all of them or some.
            if dropsCopy, let migration, migration.phase != Phase.planned.rawValue {
                try await dropCopied(on: target)
                while try target.query(MoveSQL.dropCopiedLargeObjects).first?("removed", as: Int.self) != 0 {}
            }
            try await Gate.patient.pass(target) { try Journal.remove(on: target) }
            // What is not there need not be removed.
            guard let migration else { return }
            try? FileManager.default.removeItem(at: directory.appending(path: Names(id: migration.id).folder))
        }
    }

    /// It commits now and then, so it can pass no gate.
    private func dropCopied(on target: Connection) async throws {
        var attempt = 1
        while true {
            do throws(PostgresError) {
                return try target.execute(MoveSQL.dropCopied)
            } catch {
                guard error.isTransient, attempt < Gate.patient.attempts else { throw error }
            }
            attempt += 1
            try await Task.sleep(for: Gate.patient.pause)
        }
    }

    /// Takes one object back and marks it as removed; returns what had to be left as it is, for people.
    func remove(_ object: Journal.Object) async throws -> String? {
        let name = "martlet cleanup"
        let left = try await withNeutralConnection(to: endpoints[object.side], application: name) { server in
            try await undo(object, on: server)
        }
        try await withNeutralConnection(to: endpoints.target, application: name) { journal in
            try Journal.noteRemoved(object, on: journal)
        }
        return left
    }

    private func undo(_ object: Journal.Object, on server: Connection) async throws -> String? {
        switch object.kind {
        case "slot", Crossing.reverseSlotKind:
            try server.execute(object.undo)
        case ForeignKeysAside.validationKind:
            return try await validate(object, on: server)
        case SourceObjects.identityKind:
            return try await undoIdentity(object, on: server)
        default:
            try await undoBehindGate(object, on: server)
        }
        return nil
    }

    /// Validates a foreign key; returns what had to be left, for people.
    ///
    /// That may take long, and keeps nobody waiting who writes, so it waits for its lock. To add one to a partitioned table,
    /// whose partitions have it already, takes a moment, but does: so that lock is asked for a moment at a time.
    private func validate(_ object: Journal.Object, on server: Connection) async throws -> String? {
        do {
            guard object.undo.text.contains(" ADD CONSTRAINT ") else {
                try server.execute(object.undo)
                return nil
            }
            let gate = Gate(lockTimeout: .milliseconds(250), attempts: 20, pause: .milliseconds(250))
            try await gate.pass(server) { try server.execute(object.undo) }
            return nil
        } catch let error as PostgresError where error.sqlState == "23503" {
            return "foreign key \(object.name) stays NOT VALID: \(error.detail ?? error.message)"
        }
    }

    /// Somebody may have published the table meanwhile, or moves it, too: without the identity his UPDATE would fail.
    private func undoIdentity(_ object: Journal.Object, on server: Connection) async throws -> String? {
        struct Needed: Error {
            let publication: String
        }
        do {
            try await Gate.patient.pass(server) {
                let before = try Set(server.query(MoveSQL.withoutIdentity).map { try $0("oid", as: Int.self) })
                try server.execute(object.undo)
                let broken = try server.query(MoveSQL.withoutIdentity).first { try !before.contains($0("oid")) }
                if let broken { throw Needed(publication: try broken("publication")) }
            }
            return nil
        } catch let needed as Needed {
            return
                "the replica identity of table \(object.name), which publication \"\(needed.publication)\" needs by now; "
                + "to take it back: \(object.undo.text)"
        }
    }

    private func undoBehindGate(_ object: Journal.Object, on server: Connection) async throws {
        if object.kind == Fence.kind {
            try Fence.open(on: server)
            try await Fence.drop(on: server)
        }
        try await Gate.patient.pass(server) { try server.execute(object.undo) }
    }
}
