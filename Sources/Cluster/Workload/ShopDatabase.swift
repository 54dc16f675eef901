import Foundation
public import Postgres

/// The demo shop: a small web shop with the habits of a grown one.
///
/// What each of its oddities is there to prove is told in Demo/README.md.
public enum ShopDatabase {
    /// A question of the shop to its own data.
    public struct Check: Sendable, Hashable {
        /// What is asked, for people.
        public let name: String
        /// A statement that returns one row.
        public let question: SQL
        /// Whether the answer must be 0 on each server by itself; otherwise it must be the same on both.
        public let mustBeZero: Bool
    }

    /// Creates the database and fills it: about 1 GB at scale 1, the same data every time.
    ///
    /// - Parameters:
    ///   - name: The database's name; it must not exist.
    ///   - server: Any database of the server, as a role that may create one.
    ///   - scale: The size; a server with default settings needs about a minute for scale 1.
    /// - Returns: the new database.
    /// - Throws: when the database exists already, or a statement fails.
    public static func create(
        _ name: String,
        on server: ConnectionString,
        scale: Double
    ) async throws -> ConnectionString {
        try await withConnection(to: server) { connection in
            try connection.execute("CREATE DATABASE \(Identifier(name)) TEMPLATE template0 ENCODING 'UTF8'")
        }
        let database = server.with("dbname", name)
        try await withConnection(to: database, application: "shop maker") { connection in
            try connection.execute("SET maintenance_work_mem = '128MB'; SET work_mem = '64MB'")
            try connection.execute(SQL(trusting: text(PackageResources.schema_sql)))
            try connection.execute(SQL(trusting: text(PackageResources.functions_sql)))
            let seed = text(PackageResources.seed_sql).replacing(":scale", with: String(scale))
            try connection.execute(SQL(trusting: seed))
            try connection.execute(SQL(trusting: text(PackageResources.indexes_sql)))
        }
        return database
    }

    /// What writers do, and how often.
    public static func operations(of database: ConnectionString) async throws -> [Workload.Operation] {
        try await withConnection(to: database) { connection in
            try connection.query(SQL(trusting: text(PackageResources.operations_sql))).map { row in
                let name: String = try row("name")
                return Workload.Operation(name: name, weight: try row("weight"), statement: statement(name))
            }
        }
    }

    /// What readers do.
    public static let reading = [
        Workload.Operation(name: "read_something", weight: 1, statement: statement("read_something"))
    ]

    /// Calls a function of the shop, each of which takes a seed.
    static func statement(_ name: String) -> SQL { "SELECT shop_app.\(Identifier(name))($1)" }

    /// The questions of `check.sql`, in their order.
    public static let checks: [Check] = {
        let parts = text(PackageResources.check_sql).split(separator: "-- name: ").dropFirst()
        return parts.compactMap { part in
            guard let end = part.firstIndex(where: \.isNewline) else { return nil }
            let name = String(part[..<end])
            return Check(
                name: name,
                question: SQL(trusting: String(part[end...])),
                mustBeZero: name.contains("(must be 0")
            )
        }
    }()

    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}
