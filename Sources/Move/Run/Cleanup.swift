public import Engine
public import Foundation
import Postgres

/// Removes what martlet made, and only that: what the journal lists.
public struct Cleanup: Sendable {
    /// One thing that was removed.
    public struct Removed: Sendable, Hashable, Codable {
        /// The server.
        public var side: String
        /// What it was.
        public var kind: String
        /// Its name.
        public var name: String
    }

    let endpoints: Endpoints
    let directory: URL

    /// Prepares a clean-up; `directory` is the work directory, whose spools go too.
    public init(endpoints: Endpoints, directory: URL) {
        self.endpoints = endpoints
        self.directory = directory
    }

    /// Takes back what the journal lists, the newest first, and marks each as removed.
    ///
    /// May be run again after a failure. Locks are asked for a moment at a time.
    @discardableResult
    public func removeObjects(kinds: [String]? = nil, side: Journal.Side? = nil) async throws -> [Removed] {
        try await withNeutralConnection(to: endpoints.target, application: "martlet cleanup") { journal in
            let objects = try Journal.objects(kinds: kinds, on: journal).filter { side == nil || $0.side == side }
            guard !objects.isEmpty else { return [] }
            return try await withNeutralConnection(to: endpoints.source, application: "martlet cleanup") { source in
                var removed: [Removed] = []
                for object in objects {
                    try await undo(object, on: object.side == .source ? source : journal)
                    try Journal.noteRemoved(object, on: journal)
                    removed.append(Removed(side: object.side.rawValue, kind: object.kind, name: object.name))
                }
                return removed
            }
        }
    }

    /// Removes the journal and the local spools.
    ///
    /// With `dropsCopy` the copied tables go as well, so that the target is as empty as before.
    public func removeJournal(dropsCopy: Bool) async throws {
        try await withNeutralConnection(to: endpoints.target, application: "martlet cleanup") { target in
            if dropsCopy, try Journal.migration(on: target)?.hasSchema == true {
                try target.execute(MoveSQL.dropCopied)
                while try target.query(MoveSQL.dropCopiedLargeObjects).first?("removed", as: Int.self) != 0 {}
            }
            try Journal.remove(on: target)
        }
        let leftovers = [
            "spool-forward", "spool-reverse", "schema.dump", "schema.dump.pre-data.list", "schema.dump.post-data.list",
        ]
        for spool in leftovers {
            // What is not there need not be removed.
            try? FileManager.default.removeItem(at: directory.appending(path: spool))
        }
    }

    private func undo(_ object: Journal.Object, on server: Connection) async throws {
        guard object.kind != "slot", object.kind != Crossing.reverseSlotKind else {
            return try server.execute(object.undo)
        }
        if object.kind == Fence.kind {
            try Fence.open(on: server)
            try await Fence.drop(on: server)
        }
        try await Gate.patient.pass(server) { try server.execute(object.undo) }
    }
}
