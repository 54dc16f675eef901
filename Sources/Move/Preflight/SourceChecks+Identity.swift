import Catalog
import Postgres

/// How the log names the rows that change.
extension SourceChecks {
    /// The tables that hold rows and reach the log: what has a replica identity of its own.
    private var logged: [Table] { source.tables.filter { $0.kind == .ordinary && !$0.isUnlogged } }

    /// What those tables lack whose updates and deletes cannot be followed as they are.
    private var needed: [(table: Table, identity: NeededIdentity)] {
        logged.compactMap { table in
            source.schema.neededIdentity(of: table, source.mapping?.database.tables ?? [:]).map { (table, $0) }
        }
    }

    /// The tables that have a key as it is.
    var identities: Finding {
        let named = logged.count - needed.count
        let full = logged.filter { $0.replicaIdentity == .full && $0.key.isEmpty }
        return Finding(
            "source.identity",
            .pass,
            "\(Finding.count(named, "table")) of \(logged.count) can be followed as they are",
            detail: full.isEmpty
                ? nil : "By the whole row: \(Finding.list(full.map(\.name.description)))."
        )
    }

    /// The tables that have a unique index to be named by.
    var identityIndexes: Finding? {
        let tables = needed.filter { $0.identity != .full }.map(\.table)
        guard !tables.isEmpty else { return nil }
        return Finding(
            "source.identity_index",
            .pass,
            "\(Finding.count(tables.count, "table")) without a usable primary key will use REPLICA IDENTITY USING INDEX",
            detail: "\(Finding.named(tables.map(\.name.description))) "
                + "martlet sets it, and takes it back in the end."
        )
    }

    /// The tables whose rows only the whole row names.
    var identityFull: Finding? {
        let tables = needed.filter { $0.identity == .full }.map(\.table)
        guard !tables.isEmpty else { return nil }
        return Finding(
            "source.identity_full",
            .warning,
            "\(Finding.count(tables.count, "table")) without any key will use REPLICA IDENTITY FULL",
            detail: "\(Finding.named(tables.map(\.name.description))) Every UPDATE and DELETE then logs the "
                + "whole old row, and is applied row by row. A primary key would be better; martlet sets the "
                + "identity otherwise, and takes it back in the end.",
            remedy: tables.map { "ALTER TABLE \($0.name.quoted) REPLICA IDENTITY FULL;" }
        )
    }

    /// The tables on which publishing would make the application's own UPDATE fail.
    var generatedIdentity: Finding? {
        let mapped = source.mapping?.database.tables ?? [:]
        let tables = logged.filter { source.schema.cannotBePublished($0, mapped, by: server.majorVersion) }
        guard !tables.isEmpty else { return nil }
        return Finding(
            "source.identity_generated",
            .blocker,
            "\(Finding.count(tables.count, "table")) with generated columns can be named by nothing but the whole row",
            detail: "\(Finding.named(tables.map(\.name.description))) PostgreSQL 18 refuses UPDATE and DELETE "
                + "on such a table when it is published. Give it a primary key and the default replica identity, "
                + "or exclude it.",
            remedy: tables.map { "ALTER TABLE \($0.name.quoted) REPLICA IDENTITY DEFAULT;" }
        )
    }

    /// The tables that never reach the log.
    var unlogged: Finding? {
        let tables = source.tables.filter(\.isUnlogged)
        guard !tables.isEmpty else { return nil }
        return Finding(
            "source.unlogged",
            .warning,
            "\(Finding.count(tables.count, "unlogged table")) will be copied once and not followed",
            detail: "\(Finding.named(tables.map(\.name.description)))",
            remedy: tables.map { "ALTER TABLE \($0.name.quoted) SET LOGGED;" }
        )
    }
}
