import Catalog
import Engine
import Foundation
import Postgres

/// One piece of a load as another machine is given it: every decision is taken already.
enum Piece: Sendable, Hashable, Codable {
    /// Copy rows.
    case copy(PartCopy)
    /// Build an index.
    case index(IndexBuild)

    /// An index that is to be built.
    struct IndexBuild: Sendable, Hashable, Codable {
        let table: QualifiedName
        let index: QualifiedName
        let creation: String
        let tablespace: String?
    }
}

/// A copy of one part of a table: its statements, and whether the table is emptied in the same transaction.
struct PartCopy: Sendable, Hashable, Codable {
    let table: QualifiedName
    /// Whether the part is the whole table, which is emptied first and complete afterwards.
    let isWhole: Bool
    /// Reads the part on the source.
    private let out: String
    /// Writes the part on the target.
    private let into: String

    init(_ load: LoadTable, _ part: Range<Int>?) {
        let sql = CopySQL(load: load, part: part)
        table = load.table.name
        isWhole = !load.isEmptiedBefore
        isLast = !load.isSplit
        out = sql.out.text
        into = sql.into.text
    }

    /// Whether the table has no other part.
    private let isLast: Bool

    /// Copies; the rows, what the journal says of the table, and what `close` adds commit together, or nothing does.
    ///
    /// `progress` gets the rows and bytes since its last call, `close` the whole amount just before the commit.
    func run(
        from: Connection,
        to: Connection,
        progress: (Journal.Amount) throws(PostgresError) -> Void,
        close: (Journal.Amount) throws -> Void
    ) async throws {
        try await to.transaction {
            if isWhole { try to.execute("TRUNCATE ONLY \(table)") }
            var told = Journal.Amount()
            let rows = try to.copyIn(SQL(trusting: into), from: from, SQL(trusting: out)) {
                rows,
                bytes throws(PostgresError) in
                told.rows += rows
                told.bytes += bytes
                try progress(Journal.Amount(rows: rows, bytes: bytes))
            }
            // The end of a binary COPY comes as a message, too.
            try progress(Journal.Amount(rows: rows - told.rows))
            // Who reads all of a table finds what VACUUM FULL and CLUSTER have moved.
            let isRewritten = try unlock(from) && (rows == 0 || !isWhole)
            try Journal.addPart(
                of: table,
                rows: rows,
                bytes: told.bytes,
                isLast: isLast,
                isRewritten: isRewritten,
                on: to
            )
            try close(Journal.Amount(rows: rows, bytes: told.bytes))
        }
    }

    /// Gives up the lock on the table and keeps the snapshot; tells whether the table has another file than under that.
    ///
    /// A session with the locks of several tables would wait in a circle with a TRUNCATE of them, and the server has no room for
    /// thousands.
    private func unlock(_ from: Connection) throws(PostgresError) -> Bool {
        let row = try from.queryLast("ROLLBACK TO SAVEPOINT martlet; \(TableFile.isOther(table))").first
        return try row?("is_other") ?? true
    }
}

extension Piece.IndexBuild {
    /// Builds the index, and commits with it what `close` adds.
    func run(on connection: Connection, close: () throws -> Void) async throws {
        try await connection.transaction {
            try IndexBuilder.build(SQL(trusting: creation), in: tablespace, on: connection)
            try close()
        }
    }
}

extension LoadQueue.Item {
    /// What another machine is given, and what people call it; nil for what only the one that leads the load does.
    var forOthers: (piece: Piece, title: Journal.PieceTitle)? {
        switch self {
        case .part(let load, let part): (.copy(PartCopy(load, part)), load.title(of: part))
        case .index(let load, let index):
            (
                .index(
                    Piece.IndexBuild(
                        table: load.table.name,
                        index: index.name,
                        creation: index.creation.text,
                        tablespace: index.tablespace
                    )
                ),
                Journal.PieceTitle(.index, index.name)
            )
        case .finish: nil
        }
    }

    /// The table that it is about.
    var table: QualifiedName {
        switch self {
        case .part(let load, _), .index(let load, _), .finish(let load): load.table.name
        }
    }
}

extension LoadTable {
    /// What people call a part.
    func title(of part: Range<Int>?) -> Journal.PieceTitle {
        let number = parts.firstIndex(of: part).map { $0 + 1 } ?? 1
        return Journal.PieceTitle(.copy, table.name, part: number, of: parts.count)
    }
}
