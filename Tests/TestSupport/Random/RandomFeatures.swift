public import Postgres

/// What a random schema may use: what both servers of a move have.
public struct RandomFeatures: Sendable, Hashable {
    /// The older of both major versions.
    public let major: Int
    /// The newer of both major versions.
    public let newest: Int
    /// Whether both were built with ICU.
    public let hasICU: Bool
    /// The extensions that both can create.
    public let extensions: Set<String>

    /// Describes what both servers have.
    public init(major: Int, newest: Int, hasICU: Bool, extensions: Set<String>) {
        self.major = major
        self.newest = newest
        self.hasICU = hasICU
        self.extensions = extensions
    }

    /// Asks a server.
    public init(_ connection: Connection) throws {
        let facts = try connection.query(
            """
            SELECT EXISTS (SELECT FROM pg_collation WHERE collname = 'de-x-icu'),
                   (SELECT string_agg(name, ' ') FROM pg_available_extensions)
            """
        )[0]
        major = connection.majorVersion
        newest = major
        hasICU = facts.text(0) == "t"
        extensions = Set((facts.text(1) ?? "").split(separator: " ").map(String.init))
    }

    /// What this server and another have.
    public func shared(with other: Self) -> Self {
        Self(
            major: min(major, other.major),
            newest: max(newest, other.newest),
            hasICU: hasICU && other.hasICU,
            extensions: extensions.intersection(other.extensions)
        )
    }
}
