import Catalog
import Postgres

/// What would make a load faster: only what the size of this database makes worth while.
///
/// Not among it, because martlet sets it for its own sessions: `maintenance_work_mem` of index builds, and
/// `synchronous_commit = off`, with which a synchronous standby of the target keeps no load waiting.
extension TargetChecks {
    /// What is written into the target's log, about: rows and indexes once.
    private var loadedBytes: Int {
        source.tables.filter { $0.kind == .ordinary }
            .reduce(0) { total, table in total + table.bytes + table.indexes.reduce(0) { $0 + $1.bytes } }
    }

    /// Whether the load forces checkpoints.
    var maxWAL: Finding {
        let check = "target.max_wal_size"
        let megabytes = server.maxWALMegabytes
        let load = loadedBytes >> 20
        // A checkpoint begins when about half of it is written (CalculateCheckpointSegments).
        let checkpoints = 2 * load / max(1, megabytes)
        guard loadedBytes >= options.smallestAdvised, checkpoints >= 2 else {
            return Finding(check, .pass, "max_wal_size is \(megabytes) MB")
        }
        let wanted = min(64, max(4, (2 * load + 1023) / 1024))
        guard wanted << 10 > megabytes else { return Finding(check, .pass, "max_wal_size is \(megabytes) MB") }
        return Finding(
            check,
            .advice,
            "the load would force about \(checkpoints) checkpoints: max_wal_size is \(megabytes) MB, and it writes about "
                + Finding.bytes(loadedBytes),
            detail:
                "The disk of pg_wal must have room for it. Afterwards: ALTER SYSTEM SET max_wal_size = '\(megabytes)MB'; "
                + "SELECT pg_reload_conf();",
            remedy: ["ALTER SYSTEM SET max_wal_size = '\(wanted)GB';", "SELECT pg_reload_conf();"]
        )
    }

    /// Whether a copy that nobody follows could do without a log.
    var minimalLog: Finding? {
        guard options.isOnce, server.walLevel != "minimal", server.senders.used == 0, server.slots.used == 0,
            loadedBytes >= options.smallestAdvised
        else { return nil }
        return Finding(
            "target.wal_minimal",
            .advice,
            "with wal_level = minimal the target would log almost nothing of \(Finding.bytes(loadedBytes))",
            detail:
                "Only for a server without standbys, archive and base backups: none can be made until it is changed back, and "
                + "one from before is of no use any more. Afterwards: ALTER SYSTEM SET wal_level = '\(server.walLevel)'; "
                + "ALTER SYSTEM SET max_wal_senders = \(server.senders.limit); and restart.",
            remedy: [
                "ALTER SYSTEM SET wal_level = 'minimal';", "ALTER SYSTEM SET max_wal_senders = 0;", server.restart,
            ]
        )
    }

    /// Whether indexes, whose pages are logged whole, are logged compressed.
    var logCompression: Finding? {
        let indexBytes = source.tables.reduce(0) { $0 + $1.indexes.reduce(0) { $0 + $1.bytes } }
        // The older method halves the speed of an index build: see docs/guide/assess.md.
        guard server.walCompression == "off", server.walLevel != "minimal", server.majorVersion >= 15, server.hasLZ4,
            indexBytes >= options.smallestAdvised
        else { return nil }
        return Finding(
            "target.wal_compression",
            .advice,
            "\(Finding.bytes(indexBytes)) of indexes are logged page by page; with wal_compression that is less",
            detail:
                "It spares the disk of pg_wal, the archive and the standbys a fifth to two fifths of it, and keeps index "
                + "builds as quick as they are. Afterwards: ALTER SYSTEM SET wal_compression = 'off'; SELECT pg_reload_conf();",
            remedy: ["ALTER SYSTEM SET wal_compression = 'lz4';", "SELECT pg_reload_conf();"]
        )
    }
}

extension SourceChecks {
    /// Whether transactions have been too large for the memory of logical decoding, as far as slots have counted that.
    var decodingMemory: Finding? {
        guard server.spilledTransactions > 0 else { return nil }
        return Finding(
            "source.decoding_memory",
            .advice,
            "\(Finding.count(server.spilledTransactions, "transaction")) were too large for logical_decoding_work_mem "
                + "(\(server.decodingMemory)), and were written to disk while slots read them",
            detail:
                "\(Finding.bytes(server.spilledBytes)) since the statistics were reset (pg_stat_replication_slots). martlet takes "
                + "256 MB and more by itself; the sessions of this role may have more. Afterwards: ALTER ROLE \(role.quoted) RESET "
                + "logical_decoding_work_mem;",
            remedy: ["ALTER ROLE \(role.quoted) SET logical_decoding_work_mem = '1GB';"]
        )
    }
}
