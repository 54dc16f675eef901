import Catalog
import Foundation
import Postgres

/// The statements that make what was lost, as pg_dump writes them on the restored server; foreign keys are not among them.
struct LostDefinitions {
    private let archive: SchemaArchive
    /// Partitions of tables that are there, which are attached last, when their indexes are theirs.
    private let attached: SchemaArchive
    /// What is not made, and why, for people.
    let leftOut: [String]
    private let leftOutObjects: Set<LostObjects.Object>

    /// Whether an object is not made, because something that it needs is not there.
    func isLeftOut(_ object: LostObjects.Object) -> Bool { leftOutObjects.contains(object) }

    /// Dumps what is to be made, for as long as `body` runs.
    static func with<Result>(
        _ made: [LostObjects.Object],
        of lost: LostObjects,
        at place: ConnectionString,
        _ old: Connection,
        _ new: Connection,
        _ body: (LostDefinitions) async throws -> Result
    ) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // What cannot be removed is definitions only, in a folder of temporary files.
        defer { try? FileManager.default.removeItem(at: folder) }
        let whole = try await SchemaArchive.dump(
            place,
            snapshot: nil,
            excluding: [],
            options: .init(),
            with: .server(major: old.majorVersion),
            to: folder.appending(path: "schema")
        )
        return try await body(LostDefinitions(made, of: lost, in: whole, old, new))
    }

    private init(
        _ made: [LostObjects.Object],
        of lost: LostObjects,
        in whole: SchemaArchive,
        _ old: Connection,
        _ new: Connection
    ) throws(PostgresError) {
        let foreignKeys = Set(
            try old.query("SELECT oid FROM pg_constraint WHERE contype = 'f'").map { row throws(PostgresError) in
                try row("oid", as: UInt32.self)
            }
        )
        var places = Dictionary(grouping: made, by: \.catalog).mapValues { Set($0.map(\.oid)) }
        places[2606]?.subtract(foreignKeys)
        func isWanted(_ entry: SchemaArchive.Entry) -> Bool {
            if entry.description.hasPrefix("FK CONSTRAINT") { return false }
            if places[entry.catalog]?.contains(entry.oid) == true { return true }
            // Row security has its table's number, and no catalog.
            if entry.catalog == 0, places[LostObjects.relationCatalog]?.contains(entry.oid) == true { return true }
            return whole.isPart(entry, of: places)
        }
        var kept = Set(whole.entries.filter(isWanted))
        var unmet = UnmetNeeds(in: whole, made, old, new)
        try unmet.leaveOut(of: &kept)
        // An ATTACH of what was lost to what is there.
        let attaches = kept.filter { entry in
            entry.description.hasPrefix("TABLE ATTACH")
                && whole.needs(of: entry).contains {
                    $0.catalog == LostObjects.relationCatalog
                        && places[LostObjects.relationCatalog]?.contains($0.oid) != true
                }
        }
        // It takes those indexes by itself.
        let taken = kept.filter { entry in
            entry.description.hasPrefix("INDEX ATTACH")
                && whole.needs(of: entry).contains { $0.catalog == LostObjects.relationCatalog && !kept.contains($0) }
        }
        archive = whole.leavingOut { !kept.contains($0) || attaches.contains($0) || taken.contains($0) }
        attached = whole.leavingOut { !attaches.contains($0) }
        (leftOut, leftOutObjects) = (unmet.reasons.sorted(), unmet.objects)
    }

    /// Tables, views, functions, privileges.
    func beforeRows() async throws -> SQL { try await Self.bounded(archive.pieces(.preData)[0].script()) }

    /// Indexes, constraints, triggers, policies; and partitions become those of tables that are there.
    func afterRows() async throws -> SQL {
        let after = try await Self.bounded(archive.pieces(.postData)[0].script())
        guard !attached.entries.isEmpty else { return after }
        return "\(after)\n\(try await Self.bounded(attached.pieces(.preData)[0].script()))"
    }

    /// pg_restore waits for locks without end; behind it all others would.
    private static func bounded(_ script: SQL) -> SQL {
        SQL(
            trusting: script.text.replacing(
                "SET lock_timeout = 0;",
                with: "SET lock_timeout = '10s';",
                maxReplacements: 1
            )
        )
    }
}

/// Finds what cannot be made, because something else that it needs is gone, too: a view of two lost tables.
private struct UnmetNeeds {
    private let archive: SchemaArchive
    private let made: [LostObjects.Object]
    private let old: Connection
    private let new: Connection
    private var presence: [SchemaArchive.Entry: Bool] = [:]
    private(set) var reasons: [String] = []
    private(set) var objects: Set<LostObjects.Object> = []

    init(in archive: SchemaArchive, _ made: [LostObjects.Object], _ old: Connection, _ new: Connection) {
        (self.archive, self.made, self.old, self.new) = (archive, made, old, new)
    }

    /// Takes it out of what is kept, with what needs it; a schema that is gone is put in.
    mutating func leaveOut(of kept: inout Set<SchemaArchive.Entry>) throws(PostgresError) {
        var isStable = false
        while !isStable {
            isStable = true
            for entry in kept {
                guard let needed = try missing(for: entry, kept) else { continue }
                isStable = false
                if needed.kind == .schema {
                    kept.insert(needed)
                } else {
                    kept.remove(entry)
                    try note(entry, needed)
                }
            }
        }
    }

    private mutating func missing(
        for entry: SchemaArchive.Entry,
        _ kept: Set<SchemaArchive.Entry>
    ) throws(PostgresError) -> SchemaArchive.Entry? {
        for needed in archive.needs(of: entry) where needed.catalog != 0 && !kept.contains(needed) {
            if presence[needed] == nil {
                let object = try LostObjects.object(needed.catalog, needed.oid, isNamed: true, on: old)
                presence[needed] = try object.isMissing(on: new)
            }
            if presence[needed] == true { return needed }
        }
        return nil
    }

    private mutating func note(_ entry: SchemaArchive.Entry, _ needed: SchemaArchive.Entry) throws(PostgresError) {
        guard let object = made.first(where: { $0.catalog == entry.catalog && $0.oid == entry.oid }) else { return }
        objects.insert(object)
        let title = try LostObjects.object(needed.catalog, needed.oid, isNamed: true, on: old).title
        if object.isNamed { reasons.append("\(object.title): it needs \(title), which is not there") }
    }
}
