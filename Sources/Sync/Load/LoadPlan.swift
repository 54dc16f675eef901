public import Catalog
import Postgres

/// A table to be copied, and how.
public struct LoadTable: Sendable {
    /// The table on the source.
    public let table: Table
    /// Ranges of blocks that are copied by themselves; one, without ends, for a table that is copied in whole.
    public let parts: [Range<Int>?]
    /// Whether rows travel in binary form.
    public let isBinary: Bool
    /// The partitioned table that the rows go into, because they may belong into other partitions than on the source.
    let root: QualifiedName?
    /// Which rows are copied, and what becomes of them; nil is all, as they are.
    public let map: TableMap?
    /// The higher, the earlier it is copied, whatever its size.
    public var order = 0

    /// Decides how a table is copied.
    ///
    /// A table is cut only when it alone would keep one worker busy while the others have nothing
    /// left: cutting costs FREEZE, and on two cores more than two parts are slower than two.
    ///
    /// With `partBytes` a table is cut into parts of about that size instead, so that workers on other machines can share it.
    /// `root`: the partitioned table that its rows go through, see `Schema.loadingRoot(of:)`.
    public init(
        _ table: Table,
        map: TableMap? = nil,
        through root: Table? = nil,
        totalBytes: Int,
        jobs: Int,
        partBytes: Int? = nil,
        smallestSplit: Int = 64 << 20
    ) {
        self.table = table
        self.map = map
        self.root = root?.name
        isBinary = map?.changes.isEmpty != false && table.storedColumns.allSatisfy(\.type.portability.binary)
        let share = Double(table.bytes) / Double(max(totalBytes, 1))
        let isLarge = table.bytes >= smallestSplit && share > 0.6 / Double(jobs)
        let count = partBytes.map { (table.bytes + $0 - 1) / $0 } ?? (isLarge ? jobs : 1)
        guard count > 1, table.pages >= count else {
            parts = [nil]
            return
        }
        let size = (table.pages + count - 1) / count
        parts = stride(from: 0, to: table.pages, by: size).map { $0..<($0 + size >= table.pages ? Int.max : $0 + size) }
    }

    /// Whether the table is copied in several parts at once.
    public var isSplit: Bool { parts.count > 1 }

    /// Whether the table must be empty before any table is copied: others write into it too, or several parts do.
    var isEmptiedBefore: Bool { isSplit || root != nil }
}

/// The COPY statements of one part.
struct CopySQL {
    let load: LoadTable
    let part: Range<Int>?

    private var columns: SQL {
        columns { $0 }
    }

    private func columns(_ name: (Identifier) -> Identifier) -> SQL {
        // () is no list of columns, and without one COPY takes all that are not generated.
        guard !stored.isEmpty else { return "" }
        return " (" + .joined(stored.map { "\(name($0.identifier))" }) + ")"
    }

    private var stored: [Column] {
        load.table.storedColumns.filter { load.map?.left.contains($0.identifier) != true }
    }

    private var format: SQL { load.isBinary ? "FORMAT binary" : "FORMAT text" }

    /// Reads the part on the source.
    var out: SQL {
        let isWhole = load.map?.filter == nil && load.map?.changes.isEmpty != false
        guard part != nil || !isWhole else { return "COPY \(load.table.name)\(columns) TO STDOUT (\(format))" }
        let selected = SQL.joined(
            stored.map { column in
                let name: SQL = "\(column.identifier)"
                return load.map?.changes[column.identifier]?.text(of: name) ?? name
            }
        )
        var conditions: [SQL] = load.map?.filter.map { ["(\($0))"] } ?? []
        if let part {
            conditions.append("ctid >= '(\(part.lowerBound),0)'")
            // The last range has no end: the table may have grown since its size was read, before the snapshot.
            if part.upperBound != .max { conditions.append("ctid < '(\(part.upperBound),0)'") }
        }
        let restriction: SQL = conditions.isEmpty ? "" : " WHERE \(.joined(conditions, separator: " AND "))"
        return "COPY (SELECT \(selected) FROM ONLY \(load.table.name)\(restriction)) TO STDOUT (\(format))"
    }

    /// Writes the part on the target.
    ///
    /// FREEZE is allowed only in the transaction that emptied the table.
    var into: SQL { into(isFrozen: !load.isEmptiedBefore) }

    /// Writes the part on the target; `isFrozen`: in the transaction that emptied the table by TRUNCATE.
    func into(isFrozen: Bool) -> SQL {
        let freeze: SQL = isFrozen ? ", FREEZE" : ""
        let columns = columns { load.map?.target($0) ?? $0 }
        return "COPY \(load.root ?? load.map?.target ?? load.table.name)\(columns) FROM STDIN (\(format)\(freeze))"
    }
}
