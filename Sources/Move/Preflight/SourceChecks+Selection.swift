import Catalog
import Postgres

/// What follows from the choice of tables.
extension SourceChecks {
    var selection: [Finding] {
        [unmatchedIncludes, unmatchedExcludes, needyTables, leftOut, leftOutForeignKeys].compactMap(\.self)
    }

    private var named: [Dependent] { source.dependents.filter(\.isNamed) }

    /// Patterns that choose no table: most likely a name is misspelled, and the move would be another one than was meant.
    private var unmatchedIncludes: Finding? {
        let patterns = source.schema.unmatched(options.tables.include)
        guard !patterns.isEmpty else { return nil }
        return Finding(
            "source.include",
            .blocker,
            "\(Finding.count(patterns.count, "--include pattern matches", "--include patterns match")) no table: "
                + Finding.list(patterns.map(\.text)),
            detail: explanation(patterns)
        )
    }

    private var unmatchedExcludes: Finding? {
        let patterns = source.schema.unmatched(options.tables.exclude)
        guard !patterns.isEmpty else { return nil }
        return Finding(
            "source.exclude",
            .warning,
            "\(Finding.count(patterns.count, "--exclude pattern matches", "--exclude patterns match")) no table: "
                + Finding.list(patterns.map(\.text)),
            detail: explanation(patterns)
        )
    }

    private func explanation(_ patterns: [TableFilter.Pattern]) -> String {
        let parts = source.schema.tables.filter { table in
            table.isPartition && patterns.contains { $0.matches(table.name) }
        }
        let ofPartitions =
            parts.isEmpty
            ? ""
            : " \(Finding.named(parts.map(\.name.description))) A partition goes with the table that it is part of."
        return "Letters count as they are; views and sequences are no tables." + ofPartitions
    }

    /// Tables that are moved, and cannot be made without one that is not.
    private var needyTables: Finding? {
        let names = named.filter(\.isTable).map(\.name)
        guard !names.isEmpty else { return nil }
        return Finding(
            "source.needy_tables",
            .blocker,
            "\(Finding.count(names.count, "table needs", "tables need")) tables that are left out",
            detail: "\(Finding.named(names)) By inheritance, a type, or a function of a default, a check or an index. "
                + "Move what is needed too, or leave these out as well with --exclude."
        )
    }

    private var leftOut: Finding? {
        let gone = named.filter { !$0.isTable && !$0.isForeignKey }
        guard !gone.isEmpty else { return nil }
        let kinds = Dictionary(grouping: gone, by: \.kind).sorted { $0.key < $1.key }
        let counts = kinds.map { Finding.count($1.count, $0, $0.hasSuffix("y") ? $0.dropLast() + "ies" : $0 + "s") }
        let list = gone.prefix(50).map { "\($0.kind.prefix(1).uppercased() + $0.kind.dropFirst()) \"\($0.name)\"." }
        let more = gone.count > list.count ? ["And \(gone.count - list.count) more."] : []
        let policies = gone.contains { $0.kind == "policy" } ? ["Without a policy others see more rows, or fewer."] : []
        return Finding(
            "source.left_out",
            .warning,
            "\(Self.sentence(counts)) \(gone.count == 1 ? "needs" : "need") tables that are left out, "
                + "and \(gone.count == 1 ? "is" : "are") left out too: \(Finding.list(gone.map(\.name)))",
            detail: (list + more + policies).joined(separator: "\n")
        )
    }

    private var leftOutForeignKeys: Finding? {
        let names = named.filter(\.isForeignKey).map(\.name)
        guard !names.isEmpty else { return nil }
        let isOne = names.count == 1
        return Finding(
            "source.left_out_keys",
            .warning,
            "\(Finding.count(names.count, "foreign key")) \(isOne ? "refers" : "refer") to tables that are left out, "
                + "and \(isOne ? "is" : "are") left out too: \(Finding.list(names))"
        )
    }

    /// `3 views`, `3 views and 1 rule`, `3 views, 1 function and 1 rule`.
    private static func sentence(_ parts: [String]) -> String {
        guard let last = parts.last, parts.count > 1 else { return parts.first ?? "" }
        return parts.dropLast().joined(separator: ", ") + " and " + last
    }
}

extension Dependent {
    fileprivate var isTable: Bool { catalog == 1259 && ["table", "partitioned table"].contains(kind) }
    fileprivate var isForeignKey: Bool { kind == "foreign key" }
}

extension Schema {
    /// The patterns that choose no table; a partition goes with its table, whatever it is called.
    fileprivate func unmatched(_ patterns: [TableFilter.Pattern]) -> [TableFilter.Pattern] {
        patterns.filter { pattern in !tables.contains { !$0.isPartition && pattern.matches($0.name) } }
    }
}
