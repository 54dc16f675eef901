import Catalog
import Foundation
import Postgres

/// The steps that replicas, clones and restored servers have in common.
extension Sandboxes {
    /// The directory of a new sandbox.
    ///
    /// - Throws: when there is one of this name already.
    func newPlace(_ name: String) throws -> ServerDirectory {
        try checkName(name)
        let place = ServerDirectory(path: directory + "/" + name)
        try checkBackups(name)
        guard !FileManager.default.fileExists(atPath: place.path) else {
            throw PostgresError(
                "there is a sandbox \"\(name)\" already",
                hint: "Choose another name, or remove it: martlet sandbox remove \(name)"
            )
        }
        return place
    }

    /// Makes a copy in a fresh directory; when that fails or is cancelled nothing of it is left, on the source neither.
    func making(_ place: ServerDirectory, _ origin: Origin, _ body: () async throws -> Sandbox) async throws -> Sandbox
    {
        do {
            try place.make()
            try await write(origin, in: place)
            return try await body()
        } catch {
            do {
                try await withoutCancellation {
                    try await halt(place)
                    try await dropSlot(of: origin)
                    try await origin.clone?.drop(isCleanup: true)
                    try place.remove()
                }
            } catch let second {
                throw Self.left(error, second, place, origin)
            }
            throw error
        }
    }

    /// The first failure, and what could not be cleaned up after it.
    private static func left(
        _ first: any Error,
        _ second: any Error,
        _ place: ServerDirectory,
        _ origin: Origin
    ) -> PostgresError {
        let name = URL(filePath: place.path).lastPathComponent
        let slot =
            origin.slot.map { "Its replication slot \"\($0)\" may be left on \(origin.source), and keeps log there. " }
            ?? ""
        func message(_ error: any Error) -> String { (error as? PostgresError)?.message ?? "\(error)" }
        return PostgresError(
            message(first),
            detail: [(first as? PostgresError)?.detail, "\(slot)Cleaning up failed: \(message(second))."]
                .compactMap(\.self).joined(separator: "\n"),
            hint: "Remove what is left: martlet sandbox remove \(name)"
        )
    }

    /// Drops the slot of a copy on its source; one that is not there is fine.
    func dropSlot(of origin: Origin) async throws {
        guard let slot = origin.slot else { return }
        try await withoutCancellation {
            try await withNeutralConnection(to: origin.place, application: "martlet replica") { session in
                // The sender of a replica that has just been stopped may need a moment.
                for attempt in 1...50 {
                    do {
                        try session.query(
                            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1",
                            slot
                        )
                        return
                    } catch let error as PostgresError where error.sqlState == "55006" && attempt < 50 {
                        try await Task.sleep(for: .milliseconds(100))
                    }
                }
            }
        }
    }

    /// Refuses a copy for which there is no room.
    func checkRoom(for source: CopySource, in place: ServerDirectory) async throws {
        let values = try URL(filePath: place.path).resourceValues(forKeys: [.volumeAvailableCapacityKey])
        guard let free = values.volumeAvailableCapacity else { return }
        // The log that is written meanwhile, and what is in no database.
        let needed = source.bytes + source.bytes / 10 + (64 << 20)
        guard free < needed else { return }
        let sizes = [free, needed].map { $0.formatted(.byteCount(style: .file)) }
        throw PostgresError(
            "there is no room for a copy of server \(source.title)",
            detail: "In \"\(directory)\" \(sizes[0]) are free, and about \(sizes[1]) are needed.",
            hint: "Make room, or name another folder in MARTLET_STATE_DIR."
        )
    }
}
