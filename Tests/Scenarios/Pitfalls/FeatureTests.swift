import Catalog
import Postgres
import TestSupport
import Testing

/// Moves a database that has one of everything, there and back; its definitions must be the same on both servers.
@Suite(.timeLimit(.minutes(5)))
struct FeatureTests {
    @Test(arguments: [nil, 18] as [Int?])
    func `pitfalls 31, 32, 33, 37, 38, 41, 42 and 43: money, collations, compression, rules, shadows, inheritance`(
        major: Int?
    ) async throws {
        try await withMove(from: major, to: major, of: Features.tables + Features.objects) { move in
            // A build without ICU knows a few of its collations nevertheless.
            let hasICU =
                try await ask(move.source, "SELECT count(*) > 10 FROM pg_collation WHERE collprovider = 'i'") == "t"
            if hasICU { try await execute(move.source, Features.sorted) }
            try await execute(move.source, Features.shadows)
            try await execute(move.source, Features.wide)
            let programs = try await Installation.client(atLeast: major ?? 15)
            let before = try await programs.definitions(of: move.source)
            // One that pg_dump does not know of, either.
            await #expect(throws: PostgresError.self) {
                try await execute(move.source, "CREATE UNIQUE INDEX CONCURRENTLY invalid ON public.doubled (n)")
            }
            try await execute(move.source, Features.guards)
            let guarded = try await programs.definitions(of: move.source)
            #expect(guarded != before)
            try await move.thereAndBack {
                try await execute(move.source, Features.changes)
                if hasICU {
                    try await execute(move.source, "SET search_path = pg_catalog, public; " + Features.sortedChanges)
                }
                try await Self.rewriteTables(on: move.source)
            } afterCutover: {
                try await execute(move.target, Features.changesThere)
            }
            try await expect(move.source, guarded, programs)
            try await expect(move.target, guarded, programs)
            let invalid: SQL = "SELECT pg_catalog.to_regclass('public.invalid') IS NULL"
            #expect(try await ask(move.source, invalid) == "f")
            #expect(try await ask(move.target, invalid) == "t")
        }
    }

    @Test func `an aborted move leaves nothing of any kind behind, and the next one finds room`() async throws {
        try await withMove(of: Features.tables + Features.objects + Features.shadows) { move in
            let programs = try await Installation.client(atLeast: 15)
            // Extensions are not dropped.
            try await execute(move.target, "CREATE EXTENSION postgres_fdw")
            let empty = try await programs.definitions(of: move.target)
            let before = try await programs.definitions(of: move.source)
            try await move.follow(then: .abort) {}
            try await expect(move.target, empty, programs)
            try await move.follow(then: .finish) {}
            try await expect(move.target, before, programs)
        }
    }

    /// Comments of pg_dump; an inherited NOT NULL that a primary key made from an index makes the child's own (18); and the
    /// rights on what belongs to an extension, which stays when a move is aborted.
    private static let tolerated = [
        "+ --", "- --", "+     CONSTRAINT parent_id_not_null NOT NULL id,",
        "+ REVOKE ALL ON FUNCTION public.postgres_fdw_",
    ]

    /// Expects these definitions, and tells the lines that came and went.
    private func expect(_ place: ConnectionString, _ before: String, _ programs: Installation) async throws {
        let after = try await programs.definitions(of: place)
        let changes = after.split(separator: "\n").difference(from: before.split(separator: "\n")).map { change in
            switch change {
            case .insert(_, let line, _): "+ \(line)"
            case .remove(_, let line, _): "- \(line)"
            }
        }
        #expect(changes.filter { line in !Self.tolerated.contains { line.hasPrefix($0) } } == [])
    }

    private static func rewriteTables(on place: ConnectionString) async throws {
        let statements: [SQL] = [
            "VACUUM FULL public.stat", "CLUSTER public.squeezed USING squeezed_pkey", "VACUUM FULL public.nothing",
            "UPDATE public.stat SET b = 3 WHERE a = 1", "UPDATE public.squeezed SET p = p || 'r'",
            "INSERT INTO public.nothing DEFAULT VALUES",
        ]
        for statement in statements { try await execute(place, statement) }
    }
}
